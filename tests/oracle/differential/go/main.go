// dubbo-go-hessian2 as a process. One value in hex a line:
// echo: reads each and writes it again; show: reads each and prints it; generate SEED COUNT: writes random ones.
// What it cannot read or write is "error: ...".
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	hessian "github.com/apache/dubbo-go-hessian2"
)

type Node struct {
	A    any
	B    any
	Name string
}

func (*Node) JavaClassName() string { return "oracle.Node" }

type Leaf struct {
	I     int32
	L     int64
	D     float64
	Z     bool
	Text  string
	Date  time.Time
	Bytes []byte
	Names []string
}

func (*Leaf) JavaClassName() string { return "oracle.Leaf" }

func decode(line string) (any, error) {
	bytes, err := hex.DecodeString(line)
	if err != nil {
		return nil, err
	}
	return hessian.NewDecoder(bytes).Decode()
}

func encode(value any) (string, error) {
	encoder := hessian.NewEncoder()
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return hex.EncodeToString(encoder.Buffer()), nil
}

func answer(mode, line string) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = strings.ReplaceAll(fmt.Sprintf("error: panic %v", p), "\n", " ")
		}
	}()
	value, err := decode(line)
	if err == nil && mode == "echo" {
		text, err = encode(value)
	} else if err == nil {
		text = show(reflect.ValueOf(value))
	}
	if err != nil {
		return strings.ReplaceAll("error: "+err.Error(), "\n", " ")
	}
	return text
}

func show(v reflect.Value) string {
	if !v.IsValid() {
		return "nil"
	}
	if t, ok := v.Interface().(time.Time); ok {
		return fmt.Sprint("time ", t.UnixMilli())
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return show(v.Elem())
	case reflect.Float32, reflect.Float64:
		return fmt.Sprintf("f%x", math.Float64bits(v.Float()))
	case reflect.String:
		return fmt.Sprintf("%+q", v.String())
	case reflect.Slice, reflect.Array:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = show(v.Index(i))
		}
		return v.Type().String() + "[" + strings.Join(parts, ",") + "]"
	case reflect.Map:
		var parts []string
		for _, key := range v.MapKeys() {
			parts = append(parts, show(key)+"="+show(v.MapIndex(key)))
		}
		sort.Strings(parts)
		return v.Type().String() + "{" + strings.Join(parts, ",") + "}"
	case reflect.Struct:
		var parts []string
		for i := 0; i < v.NumField(); i++ {
			if v.Type().Field(i).IsExported() {
				parts = append(parts, v.Type().Field(i).Name+":"+show(v.Field(i)))
			}
		}
		return v.Type().String() + "{" + strings.Join(parts, ",") + "}"
	default:
		return fmt.Sprintf("%s(%v)", v.Type(), v)
	}
}

func text(r *rand.Rand) string {
	var b strings.Builder
	most := 40
	if r.Intn(40) == 0 {
		most = 9000
	}
	kind := r.Intn(4)
	for n := r.Intn(most); n > 0; n-- {
		switch kind {
		case 0:
			b.WriteRune(rune(0x4e00 + r.Intn(5000)))
		case 1:
			b.WriteRune(rune(0x1f600 + r.Intn(64)))
		default:
			b.WriteByte(byte(' ' + r.Intn(95)))
		}
	}
	return b.String()
}

func scalar(r *rand.Rand) any {
	switch r.Intn(9) {
	case 0:
		return r.Intn(2) == 0
	case 1:
		return int32(r.Uint32()) >> r.Intn(32)
	case 2:
		return int64(r.Uint64()) >> r.Intn(64)
	case 3:
		return r.NormFloat64()
	case 4:
		return float64(r.Intn(70000) - 35000)
	case 5:
		return time.UnixMilli(int64(r.Intn(1 << 40)))
	case 6:
		bytes := make([]byte, r.Intn(30)+1)
		r.Read(bytes)
		return bytes
	default:
		return text(r)
	}
}

func value(r *rand.Rand, depth int) any {
	if depth == 0 || r.Intn(100) < 50 {
		return scalar(r)
	}
	n := r.Intn(10) + 1
	switch r.Intn(8) {
	case 0:
		return &Node{A: value(r, depth-1), B: value(r, depth-1), Name: text(r)}
	case 1:
		return &Leaf{I: int32(r.Uint32()), L: int64(r.Uint64()), D: r.Float64(), Z: true, Text: text(r),
			Date: time.UnixMilli(int64(r.Intn(1 << 40))), Bytes: []byte{1, 2, byte(n)}, Names: []string{text(r), text(r)}}
	case 2:
		m := map[any]any{}
		for ; n > 0; n-- {
			m[fmt.Sprint("k", r.Intn(1000))] = value(r, depth-1)
		}
		return m
	case 3:
		m := map[any]any{}
		for ; n > 0; n-- {
			m[int64(r.Intn(1000))] = scalar(r)
		}
		return m
	case 4:
		a := make([]int32, n)
		for i := range a {
			a[i] = int32(r.Uint32())
		}
		return a
	case 5:
		a := make([]string, n)
		for i := range a {
			a[i] = text(r)
		}
		return a
	default:
		a := make([]any, n)
		for i := range a {
			a[i] = value(r, depth-1)
		}
		return a
	}
}

func main() {
	hessian.RegisterPOJO(&Node{})
	hessian.RegisterPOJO(&Leaf{})
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	if os.Args[1] == "generate" {
		seed, _ := strconv.ParseInt(os.Args[2], 10, 64)
		count, _ := strconv.Atoi(os.Args[3])
		for n := 0; n < count; n++ {
			line, err := encode(value(rand.New(rand.NewSource(seed+int64(n))), 4))
			if err != nil {
				line = "error: " + err.Error()
			}
			fmt.Fprintln(out, line)
		}
		return
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		fmt.Fprintln(out, answer(os.Args[1], in.Text()))
	}
}
