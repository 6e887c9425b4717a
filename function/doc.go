// Package function runs WebAssembly handlers on each append to a log.
//
// It promises:
//
//   - A handler sees the entries of its log in order, and its effect (an entry in its output log) happens exactly once for
//     each: the output and the cursor are committed together, so neither a crash nor a restart repeats or loses one.
//   - A handler has no authority: no imports, no files, no clock, no network. It gets bytes and gives bytes.
//   - A handler is bounded before it runs (module size, memory, stack, table, instructions of WebAssembly 1.0 only)
//     and while it runs (deadline). Each run has a fresh instance: nothing is left over from the run before.
//   - A failing handler is retried with growing pauses, then parked: its error stays visible in List, and Resume or Skip
//     let it go on. Others are not held up.
//
// It does not: run handlers of one log in parallel, keep state between runs (Spec.Window gives a
// handler the last entries instead), or count instructions: the deadline is time on the wall, so a
// busy machine may need a longer one.
//
// Policies, apart from that, runs the programs of capabilities: docs/spec/program.md.
//
// The ABI is docs/spec/function.md; abi/edg_handler.h is its C header.
//
//	runtime, err := function.New(ctx, store, function.Config{})
//	err = runtime.Deploy(ctx, function.Spec{
//		Name:   "smooth",
//		Module: wasm,
//		On:     logstore.LogID{Service: greenhouse, Name: "temperature"},
//		To:     logstore.LogID{Service: self, Name: "smoothed"},
//		Window: 4,
//	})
//	statuses := runtime.List()
//	err = runtime.Close()
package function
