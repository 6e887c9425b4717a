package capability

// ProgramInput is everything that a program can know.
type ProgramInput struct {
	Operation   Operations // the one asked for
	Name        string
	Payload     []byte
	First, Last uint32 // entries that a read names; 0: none
	Hold        uint8  // in 100 ms
	Now         Now
}

// ProgramVerdict is what a program says of a request. The zero value denies.
type ProgramVerdict uint8

const (
	ProgramFails  ProgramVerdict = iota // its result is 0, it trapped, or it had no fuel left
	ProgramHolds                        // its result is not 0
	ProgramBroken                       // CheckProgram refuses it
)

// ProgramRunner runs a body on an input. It checks the body first, and the same body and input give the same verdict everywhere.
type ProgramRunner func(body []byte, in *ProgramInput) ProgramVerdict
