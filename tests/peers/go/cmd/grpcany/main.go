// Command grpcany is a grpc-go server or client of any schema: it knows a file of descriptors and a script, and no code is
// generated for it. What it receives it prints as JSON, one line each.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"landbridge.example/peers/out"
)

// step is one entry of the script: for a server what it answers, for a client what it calls.
type step struct {
	// Case is the client's name of it.
	Case string `json:"case"`
	RPC  string `json:"rpc"`
	// When are the members that a request must have for a server to take this step; without, every request has.
	When map[string]any `json:"when"`
	// Request is what a client sends.
	Request json.RawMessage `json:"request"`
	// Reply is what a server answers; without reply and status it answers with the request's own fields.
	Reply    json.RawMessage   `json:"reply"`
	Status   json.RawMessage   `json:"status"`
	Trailers map[string]string `json:"trailers"`
}

// types resolves the messages of the descriptors, and those of google.rpc that details are usually made of.
type types struct{ *dynamicpb.Types }

func (t types) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if found, err := t.Types.FindMessageByURL(url); err == nil {
		return found, nil
	}
	return protoregistry.GlobalTypes.FindMessageByURL(url)
}

type peer struct {
	files  *protoregistry.Files
	types  types
	script []step
}

// message is what went over the wire as JSON, and how many bytes of it the schema does not know.
type message struct {
	json    json.RawMessage
	unknown int
}

func (p *peer) load() error {
	// linked in, so that details of these types can be read
	_ = []proto.Message{&errdetails.ErrorInfo{}, &errdetails.DebugInfo{}}
	bytes, err := os.ReadFile(out.Env("SET", ""))
	if err != nil {
		return err
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(bytes, set); err != nil {
		return err
	}
	if p.files, err = protodesc.NewFiles(set); err != nil {
		return err
	}
	p.types = types{dynamicpb.NewTypes(p.files)}
	if bytes, err = os.ReadFile(out.Env("SCRIPT", "")); err != nil {
		return err
	}
	return json.Unmarshal(bytes, &p.script)
}

func (p *peer) method(path string) (protoreflect.MethodDescriptor, error) {
	name := strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", ".")
	found, err := p.files.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil, status.Error(codes.Unimplemented, "no method "+path)
	}
	method, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return nil, status.Error(codes.Unimplemented, path+" is no method")
	}
	return method, nil
}

func (p *peer) parse(text json.RawMessage, m proto.Message) error {
	if len(text) == 0 {
		return nil
	}
	return protojson.UnmarshalOptions{Resolver: p.types}.Unmarshal(text, m)
}

func (p *peer) print(m proto.Message) (message, error) {
	text, err := protojson.MarshalOptions{Resolver: p.types, UseProtoNames: true}.Marshal(m)
	return message{text, unknown(m.ProtoReflect())}, err
}

// unknown counts the bytes of unknown fields, of parts too.
func unknown(m protoreflect.Message) int {
	n := len(m.GetUnknown())
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { n += unknown(v.Message()); return true })
		case f.IsList() && f.Message() != nil:
			for i := 0; i < v.List().Len(); i++ {
				n += unknown(v.List().Get(i).Message())
			}
		case !f.IsMap() && !f.IsList() && f.Message() != nil:
			n += unknown(v.Message())
		}
		return true
	})
	return n
}

func (p *peer) serve(_ any, stream grpc.ServerStream) error {
	path, _ := grpc.MethodFromServerStream(stream)
	method, err := p.method(path)
	if err != nil {
		return err
	}
	request := dynamicpb.NewMessage(method.Input())
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	got, err := p.print(request)
	if err != nil {
		return err
	}
	rpc := string(method.Name())
	out.Line("event", "call", "rpc", rpc, "request", got.json, "unknown", got.unknown)
	var members map[string]any
	if err := json.Unmarshal(got.json, &members); err != nil {
		return err
	}
	for _, s := range p.script {
		if s.RPC == rpc && has(members, s.When) {
			return p.answer(s, method, stream)
		}
	}
	bytes, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	reply := dynamicpb.NewMessage(method.Output())
	if err := proto.Unmarshal(bytes, reply); err != nil {
		return err
	}
	return stream.SendMsg(reply)
}

func (p *peer) answer(s step, method protoreflect.MethodDescriptor, stream grpc.ServerStream) error {
	stream.SetTrailer(metadata.New(s.Trailers))
	if len(s.Status) > 0 {
		st := &spb.Status{}
		if err := p.parse(s.Status, st); err != nil {
			return status.Error(codes.Internal, "script: "+err.Error())
		}
		return status.ErrorProto(st)
	}
	reply := dynamicpb.NewMessage(method.Output())
	if err := p.parse(s.Reply, reply); err != nil {
		return status.Error(codes.Internal, "script: "+err.Error())
	}
	return stream.SendMsg(reply)
}

func has(members, wanted map[string]any) bool {
	for name, value := range wanted {
		if !reflect.DeepEqual(members[name], value) {
			return false
		}
	}
	return true
}

func (p *peer) call(connection *grpc.ClientConn, s step) (any, error) {
	path := "/" + out.Env("SERVICE", "") + "/" + s.RPC
	method, err := p.method(path)
	if err != nil {
		return nil, err
	}
	request, reply := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	if err := p.parse(s.Request, request); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var trailers metadata.MD
	if err := connection.Invoke(ctx, path, request, reply, grpc.Trailer(&trailers)); err != nil {
		got, err := p.print(status.Convert(err).Proto())
		return map[string]any{"status": got.json}, err
	}
	got, err := p.print(reply)
	return map[string]any{"reply": got.json, "unknown": got.unknown, "null": trailers.Get("dubbo-null-result")}, err
}

func main() {
	p := &peer{}
	if err := p.load(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if target := out.Env("TARGET", ""); target != "" {
		connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		suite := &out.Suite{}
		for _, s := range p.script {
			suite.Case(s.Case, func() (any, error) { return p.call(connection, s) })
		}
		os.Exit(suite.End())
	}
	listener, err := net.Listen("tcp", out.Env("LISTEN", "127.0.0.1:0"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	out.Line("event", "ready", "listen", listener.Addr().String())
	if err := grpc.NewServer(grpc.UnknownServiceHandler(p.serve)).Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
