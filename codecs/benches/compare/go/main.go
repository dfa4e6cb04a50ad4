// Decodes and encodes the messages in a folder with dubbo-go-hessian2; one JSON line a figure.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	hessian "github.com/apache/dubbo-go-hessian2"
)

type User struct {
	Id     int64
	Name   string
	Email  string
	Age    int32
	Score  float64
	Active bool
	Tags   []string
}

func (*User) JavaClassName() string { return "bench.User" }

type Item struct {
	Created  time.Time
	Tags     []string
	Id       int64
	Sku      string
	Name     string
	Price    float64
	Quantity int32
	Active   bool
	Parent   int64
	Note     string
}

func (*Item) JavaClassName() string { return "bench.Item" }

func decode(bytes []byte) any {
	value, err := hessian.NewDecoder(bytes).Decode()
	if err != nil {
		panic(err)
	}
	return value
}

func encode(value any) []byte {
	encoder := hessian.NewEncoder()
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return encoder.Buffer()
}

func batch(run func(), length time.Duration) float64 {
	start, runs := time.Now(), 0
	for time.Since(start) < length {
		for i := 0; i < 8; i++ {
			run()
		}
		runs += 8
	}
	return float64(time.Since(start).Nanoseconds()) / float64(runs)
}

// The median of nine batches of 50 ms, after 200 ms of warming up.
func measure(run func()) float64 {
	batch(run, 200*time.Millisecond)
	figures := make([]float64, 9)
	for i := range figures {
		figures[i] = batch(run, 50*time.Millisecond)
	}
	sort.Float64s(figures)
	return figures[4]
}

func main() {
	hessian.RegisterPOJO(&User{})
	hessian.RegisterPOJO(&Item{})
	for n, name := range strings.Split(os.Args[2], ",") {
		bytes, err := os.ReadFile(filepath.Join(os.Args[1], fmt.Sprintf("%d.bin", n)))
		if err != nil {
			panic(err)
		}
		value := decode(bytes)
		print := func(what string, nanos float64) {
			fmt.Printf("{\"codec\":%q,\"what\":%q,\"message\":%q,\"bytes\":%d,\"nanos\":%.1f}\n",
				os.Getenv("CODEC"), what, name, len(bytes), nanos)
		}
		print("decode", measure(func() { decode(bytes) }))
		print("encode", measure(func() { encode(value) }))
	}
}
