// Command gateway is what a Go team would write in place of eventstream's gateway: events in over
// HTTP, acknowledged by all in-sync replicas of Kafka before they are answered. It is here to be
// measured beside ours; docs/performance.md says how.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	readTimeout     = 30 * time.Second
	idleTimeout     = 75 * time.Second
	maxHeaderBytes  = 32 << 10
	deliveryTimeout = 30 * time.Second
	graceTimeout    = 35 * time.Second
	maxBuffered     = 200_000
)

type options struct {
	bootstrapServers string
	port             int
	keys             string
	linger           time.Duration
}

func main() {
	var opts options
	flag.StringVar(&opts.bootstrapServers, "bootstrap-servers", "localhost:9092", "Kafka brokers to ask first, separated by commas")
	flag.IntVar(&opts.port, "port", 8080, "port to listen on; 0 takes a free one")
	flag.StringVar(&opts.keys, "keys", "", "file of the API keys' SHA-256 in hexadecimal, one a line; without it anybody may publish")
	flag.DurationVar(&opts.linger, "linger", time.Millisecond, "how long the producer waits for more events")
	flag.Parse()
	if err := run(opts); err != nil {
		slog.Error("the gateway ended", "error", err)
		os.Exit(1)
	}
}

// run serves until SIGTERM or SIGINT, then answers what it took.
func run(opts options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	var keys *keyring
	if opts.keys != "" {
		var err error
		if keys, err = loadKeys(opts.keys); err != nil {
			return err
		}
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(opts.bootstrapServers, ",")...),
		kgo.RequiredAcks(kgo.AllISRAcks()), // with the default: an idempotent producer
		kgo.ProducerLinger(opts.linger),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(maxBuffered),
		kgo.RecordDeliveryTimeout(deliveryTimeout),
	)
	if err != nil {
		return err
	}
	defer client.Close()

	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", opts.port))
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:        newGateway(client, keys).routes(),
		ReadTimeout:    readTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Printf("http://%s\n", listener.Addr())

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stop() // a second signal ends it at once
	grace, cancel := context.WithTimeout(context.Background(), graceTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return err
	}
	return client.Flush(grace)
}
