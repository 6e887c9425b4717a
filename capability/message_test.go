package capability

import (
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

func TestCanonicalRefuses(t *testing.T) {
	proof := appendSession(nil, 0, 1, 1, 0, 100, nil)
	answer := appendAnswerProof(nil, formSession, 0, 1, 0, 0)
	for id, m := range map[string]*coap.Message{
		"no 65001":           {Code: coap.CodeGET},
		"65001 empty":        {Options: []coap.Option{{Number: coap.OptionRequest, Value: nil}}},
		"65001 of one byte":  {Options: []coap.Option{{Number: coap.OptionRequest, Value: []byte{formOpen}}}},
		"65001 twice":        {Options: []coap.Option{{Number: coap.OptionRequest, Value: proof}, {Number: coap.OptionRequest, Value: proof}}},
		"form unknown":       {Options: []coap.Option{{Number: coap.OptionRequest, Value: changed(proof, 0, 0x50)}}},
		"order descends":     {Options: []coap.Option{{Number: coap.OptionRequest, Value: proof}, {Number: coap.OptionURIPath, Value: nil}}},
		"uncovered option":   {Options: []coap.Option{{Number: coap.OptionETag, Value: []byte{1}}, {Number: coap.OptionRequest, Value: proof}}},
		"option of 64 KiB":   {Options: []coap.Option{{Number: coap.OptionURIPath, Value: make([]byte, 0x10000)}, {Number: coap.OptionRequest, Value: proof}}},
		"payload of 64 KiB":  {Options: []coap.Option{{Number: coap.OptionRequest, Value: proof}}, Payload: make([]byte, 0x10000)},
		"an answer's 65000":  {Options: []coap.Option{{Number: coap.OptionResponse, Value: answer}}},
		"an answer's in all": {Options: []coap.Option{{Number: coap.OptionResponse, Value: answer}, {Number: coap.OptionRequest, Value: proof}}},
	} {
		if b, err := canonicalRequest(nil, m); err == nil {
			t.Errorf("%s: canonicalRequest = %x", id, b)
		}
	}
	for id, m := range map[string]*coap.Message{
		"no 65000":          {Code: coap.CodeContent},
		"65000 twice":       {Options: []coap.Option{{Number: coap.OptionResponse, Value: answer}, {Number: coap.OptionResponse, Value: answer}}},
		"form unknown":      {Options: []coap.Option{{Number: coap.OptionResponse, Value: changed(answer, 0, 0x30)}}},
		"order descends":    {Options: []coap.Option{{Number: coap.OptionResponse, Value: answer}, {Number: coap.OptionETag, Value: nil}}},
		"payload of 64 KiB": {Options: []coap.Option{{Number: coap.OptionResponse, Value: answer}}, Payload: make([]byte, 0x10000)},
	} {
		if b, err := canonicalResponse(nil, m); err == nil {
			t.Errorf("%s: canonicalResponse = %x", id, b)
		}
	}
}

func TestAddressing(t *testing.T) {
	c := wide(t, 1)
	for _, mirror := range []bool{false, true} {
		h := &Hello{Mirror: mirror, capability: c}
		if m := h.Message(); !IsHello(m) || IsOpen(m) || IsMirror(m) != mirror {
			t.Errorf("hello, mirror %v: IsHello %v, IsOpen %v, IsMirror %v", mirror, IsHello(m), IsOpen(m), IsMirror(m))
		}
		for _, form := range []uint8{formOpen, formSession, formSessionFrames} {
			m := &coap.Message{Options: []coap.Option{{Number: coap.OptionRequest, Value: []byte{form | mirrorFlag(mirror)}}}}
			if IsHello(m) || IsOpen(m) != (form == formOpen) || IsMirror(m) != mirror {
				t.Errorf("form %02x: IsHello %v, IsOpen %v, IsMirror %v", form, IsHello(m), IsOpen(m), IsMirror(m))
			}
		}
	}
	if m := callMessage("valve"); IsHello(m) || IsOpen(m) || IsMirror(m) {
		t.Error("a bare call passes for a hello, an OPEN, or one for the mirror")
	}
}
