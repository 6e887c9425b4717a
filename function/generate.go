package function

//go:generate sh testdata/build.sh
