package api

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// dialTimeout bounds a connection's opening, the proof of the other side included.
const dialTimeout = 5 * time.Second

// ErrStranger means that what answers at the node's address does not know the node's token. The token was not sent.
var ErrStranger = errors.New("another program answers")

// dialNode returns a func that opens connections to servers that know the token, and to no others. A node may be gone and another
// program hold its port at any moment, so each connection is checked.
func dialNode(token string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: dialTimeout}
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		err = errors.Join(conn.SetDeadline(time.Now().Add(dialTimeout)), checkServer(conn, token, address))
		if !stop() && err == nil { // the deadline of ctx may have been set, so the connection is of no use
			err = context.Cause(ctx)
		}
		if err == nil {
			err = conn.SetDeadline(time.Time{})
		}
		if err == nil {
			return conn, nil
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, errors.Join(err, conn.Close())
	}
}

// checkServer has the other side of a connection prove that it knows the token.
func checkServer(conn net.Conn, token, address string) error {
	stranger := &Error{
		Kind:    NotFound,
		Message: fmt.Sprintf("another program answers at %s: it does not know this node's token, which was not sent; the node has stopped or was killed", address),
		Action:  "edgeistry run",
		cause:   ErrStranger,
	}
	raw := make([]byte, ChallengeSize)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	challenge := hex.EncodeToString(raw)
	want, err := Prove(token, address, challenge)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+address+WhoAmIPath+"?challenge="+challenge, nil)
	if err != nil {
		return err
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	const most = 4 << 10 // bytes of the answer
	r := bufio.NewReader(io.LimitReader(conn, most))
	resp, err := http.ReadResponse(r, req)
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return &Error{Kind: Timeout, Message: fmt.Sprintf("what listens at %s did not answer in time; the node's token was not sent", address), Action: "see whether the node still runs"}
	case err != nil:
		return stranger
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	var answer WhoAmI
	if err != nil || json.Unmarshal(body, &answer) != nil || !hmac.Equal([]byte(answer.Proof), []byte(want)) || r.Buffered() > 0 || resp.Close {
		return stranger
	}
	return nil
}
