// Command edgeistry runs a node of a mesh and is the way people talk to it.
//
//	edgeistry init --mesh farm
//	edgeistry run
//	edgeistry device claim EDGDEV1-... --link serial:/dev/ttyUSB0 --name greenhouse
//	edgeistry cap attenuate greenhouse/owner --read temperature --until friday --save greenhouse/anna
//	edgeistry call greenhouse/valve 20
//
// The command line is thin: what needs the mesh goes to the node of this home through its HTTP API on loopback; what
// concerns capabilities (mint, attenuate, inspect, show) works on the home directory alone, with no node and no network.
//
// Every command takes --home, --json and --timeout, every flag can be given by an environment variable that its help
// names, and the exit code tells a script what happened: 0 done, 1 failed, 2 wrong usage, 3 not found or not reachable,
// 4 denied, 5 timed out. Results go to standard output, everything else to standard error.
package main
