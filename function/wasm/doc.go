// Package wasm checks WebAssembly handlers and runs them.
//
// It promises: Compile refuses a module that is not of WebAssembly 1.0, that has imports, or that
// could need more than the bounds of docs/spec/function.md (memory, stack, table, locals, nesting),
// before anything is compiled. Each run has a fresh instance, a deadline, and no authority: it gets
// bytes and returns bytes.
//
// It does not know logs: package function runs its programs on appended entries. Instructions are
// not counted; the deadline is time on the wall, so a busy machine may need a longer one.
//
//	p, err := wasm.Compile(ctx, module, wasm.Limits{Timeout: 100 * time.Millisecond, MemoryPages: 16, MaxOutput: 65000})
//	if err != nil {
//		return err // "module imports "exit" from "env": a handler gets no imports"
//	}
//	defer p.Close()
//	output, err := p.Run(ctx, input)
package wasm
