package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

const maxPooledBytes = 1 << 20

// publication is one request's events on their way to Kafka and back. It is used again for another
// request once Kafka has answered for every event.
type publication struct {
	body     bytes.Buffer
	records  []kgo.Record
	invalid  []int // lines that are no JSON
	failures []error
	left     int
	done     chan struct{}
	promise  func(*kgo.Record, error)
}

var publications = sync.Pool{New: func() any {
	p := &publication{done: make(chan struct{}, 1)}
	p.promise = p.settled
	return p
}}

func newPublication() *publication {
	return publications.Get().(*publication)
}

// release gives the publication back; one whose events met an error is left to the collector.
func (p *publication) release() {
	if len(p.failures) > 0 || p.body.Cap() > maxPooledBytes {
		return
	}
	p.body.Reset()
	clear(p.records)
	p.records, p.invalid = p.records[:0], p.invalid[:0]
	publications.Put(p)
}

func (p *publication) read(body io.Reader, length int64) error {
	if length > 0 {
		p.body.Grow(int(length) + bytes.MinRead)
	}
	_, err := p.body.ReadFrom(body)
	return err
}

// takeOne makes the body one event and tells whether it is JSON.
func (p *publication) takeOne(topic string, key []byte) bool {
	value := p.body.Bytes()
	p.records = append(p.records, kgo.Record{Topic: topic, Key: key, Value: value})
	return json.Valid(value)
}

// takeLines makes each line an event; blank ones are passed over.
func (p *publication) takeLines(topic string, key []byte) {
	number := 0
	for line := range bytes.Lines(p.body.Bytes()) {
		number++
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case json.Valid(line):
			p.records = append(p.records, kgo.Record{Topic: topic, Key: key, Value: line})
		default:
			p.invalid = append(p.invalid, number)
		}
	}
}

// send gives all records to Kafka and waits until each is acknowledged or has failed.
func (p *publication) send(client *kgo.Client) {
	p.left = len(p.records)
	for i := range p.records {
		client.TryProduce(context.Background(), &p.records[i], p.promise)
	}
	if len(p.records) > 0 {
		<-p.done
	}
}

// settled is the promise of every record; the client calls promises one at a time.
func (p *publication) settled(record *kgo.Record, err error) {
	if err != nil {
		record.Offset = -1
		p.failures = append(p.failures, err)
	}
	if p.left--; p.left == 0 {
		p.done <- struct{}{}
	}
}
