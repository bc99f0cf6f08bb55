//go:build wasip1

// Command opa is OPA's compiler, checker, formatter, test runner and interpreter as one WebAssembly reactor.
//
// The host asks alloc for memory, writes a JSON request there, calls handle and reads a JSON answer (see protocol.go).
// The program reads no file, no environment and no network: what it needs is in the request, and the only clock is the
// one that the host hands it, which is how a host pins time.now_ns for tests and evaluations.
package main

import "unsafe"

// The host holds offsets into these two, so they stay reachable until the next call.
var (
	request []byte
	reply   []byte
)

func main() {}

// alloc returns the offset of a buffer of size bytes in which the host puts the next request.
//
//go:wasmexport alloc
func alloc(size uint32) unsafe.Pointer {
	request = make([]byte, size+1)
	return unsafe.Pointer(&request[0])
}

// handle answers the request in the buffer. The upper half of the result is the answer's offset, the lower its length.
//
//go:wasmexport handle
func handle() uint64 {
	reply = answer(request[:len(request)-1])
	request = nil
	return uint64(uintptr(unsafe.Pointer(&reply[0])))<<32 | uint64(len(reply))
}
