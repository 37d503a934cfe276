package main

import (
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const maxBodyBytes = 16_000_000

var (
	typeJSON    = []string{"application/json"}
	typeProblem = []string{"application/problem+json"}
)

type gateway struct {
	client  *kgo.Client
	keys    *keyring // nil: anybody may publish
	metrics *metrics
}

func newGateway(client *kgo.Client, keys *keyring) *gateway {
	return &gateway{client: client, keys: keys, metrics: newMetrics()}
}

func (g *gateway) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /publish/{topic}", g.publish)
	mux.Handle("GET /metrics", g.metrics.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"status":"alive"}`))
	})
	return mux
}

func (g *gateway) publish(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	g.metrics.answered(g.answer(w, r), started)
}

// answer publishes what a request carries, answers it and returns the status.
func (g *gateway) answer(w http.ResponseWriter, r *http.Request) int {
	if g.keys != nil && !g.keys.allows(r.Header.Get("Authorization")) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return refuse(w, http.StatusUnauthorized, "The request bears no API key that is known here.")
	}
	if r.ContentLength > maxBodyBytes {
		return refuse(w, http.StatusRequestEntityTooLarge, "The body is too large.")
	}
	p := newPublication()
	defer p.release()
	if err := p.read(http.MaxBytesReader(w, r.Body, maxBodyBytes), r.ContentLength); err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return refuse(w, http.StatusRequestEntityTooLarge, "The body is too large.")
		}
		return refuse(w, http.StatusBadRequest, "The body did not arrive whole.")
	}
	topic := r.PathValue("topic")
	var key []byte
	if value := r.Header.Get("Event-Key"); value != "" {
		key = []byte(value)
	}
	switch mediaType(r) {
	case "application/json":
		return g.one(w, p, topic, key)
	case "application/x-ndjson":
		return g.lines(w, p, topic, key)
	}
	return refuse(w, http.StatusUnsupportedMediaType, "Send application/json or application/x-ndjson.")
}

func mediaType(r *http.Request) string {
	value := r.Header.Get("Content-Type")
	if value == typeJSON[0] { // the usual one needs no parser
		return value
	}
	parsed, _, err := mime.ParseMediaType(value)
	if err != nil {
		return ""
	}
	return parsed
}

func (g *gateway) one(w http.ResponseWriter, p *publication, topic string, key []byte) int {
	if !p.takeOne(topic, key) {
		return refuse(w, http.StatusBadRequest, "The body is not JSON.")
	}
	p.send(g.client)
	if len(p.failures) > 0 {
		return refuse(w, statusOf(p.failures[0]), p.failures[0].Error())
	}
	g.metrics.events.Inc()
	record := &p.records[0]
	answer := make([]byte, 0, 96)
	answer = append(answer, `{"topic":"`...)
	answer = append(answer, topic...) // one that Kafka has: it needs no escapes
	answer = append(answer, `","partition":`...)
	answer = strconv.AppendInt(answer, int64(record.Partition), 10)
	answer = append(answer, `,"offset":`...)
	answer = strconv.AppendInt(answer, record.Offset, 10)
	answer = append(answer, '}')
	return write(w, http.StatusOK, typeJSON, answer)
}

// span is what one partition took of a request.
type span struct {
	Partition   int32 `json:"partition"`
	Published   int   `json:"published"`
	FirstOffset int64 `json:"first_offset"`
	LastOffset  int64 `json:"last_offset"`
}

type linesAnswer struct {
	Topic      string `json:"topic"`
	Published  int    `json:"published"`
	Partitions []span `json:"partitions"`
	Failed     int    `json:"failed,omitempty"`
	Invalid    []int  `json:"invalid_lines,omitempty"`
	Error      string `json:"error,omitempty"`
}

func (g *gateway) lines(w http.ResponseWriter, p *publication, topic string, key []byte) int {
	p.takeLines(topic, key)
	if len(p.records) == 0 {
		return refuse(w, http.StatusBadRequest, "The body has no line with an event in it.")
	}
	p.send(g.client)
	answer := linesAnswer{Topic: topic, Failed: len(p.failures) + len(p.invalid), Invalid: p.invalid}
	answer.Published, answer.Partitions = spans(p.records)
	g.metrics.events.Add(float64(answer.Published))
	status := http.StatusOK
	if len(p.failures) > 0 {
		answer.Error = p.failures[0].Error()
	}
	switch {
	case answer.Published == 0:
		return refuse(w, statusOf(p.failures[0]), answer.Error)
	case answer.Failed > 0:
		status = http.StatusMultiStatus
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return refuse(w, http.StatusInternalServerError, err.Error())
	}
	return write(w, status, typeJSON, body)
}

// spans counts the acknowledged records and says where they stand, by partition.
func spans(records []kgo.Record) (int, []span) {
	published := 0
	found := make(map[int32]*span)
	for i := range records {
		record := &records[i]
		if record.Offset < 0 {
			continue
		}
		published++
		of, known := found[record.Partition]
		if !known {
			of = &span{Partition: record.Partition, FirstOffset: record.Offset}
			found[record.Partition] = of
		}
		of.Published++
		of.LastOffset = record.Offset
	}
	sorted := make([]span, 0, len(found))
	for _, partition := range slices.Sorted(maps.Keys(found)) {
		sorted = append(sorted, *found[partition])
	}
	return published, sorted
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return http.StatusNotFound
	case errors.Is(err, kerr.InvalidTopicException):
		return http.StatusBadRequest
	case errors.Is(err, kerr.MessageTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, kgo.ErrRecordTimeout):
		return http.StatusGatewayTimeout
	}
	return http.StatusServiceUnavailable
}

func refuse(w http.ResponseWriter, status int, detail string) int {
	body, _ := json.Marshal(map[string]any{"status": status, "detail": detail})
	return write(w, status, typeProblem, body)
}

func write(w http.ResponseWriter, status int, contentType []string, body []byte) int {
	header := w.Header()
	header["Content-Type"] = contentType
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	w.Write(body) // a client that has gone misses its answer, not its event
	return status
}
