//go:build !wasip1

package main

import (
	"io"
	"os"
)

// main answers one request from standard input, so that the program can be tried and profiled outside of Wasm.
func main() {
	raw, err := io.ReadAll(os.Stdin)
	if err != nil {
		os.Exit(1)
	}
	_, _ = os.Stdout.Write(answer(raw))
}
