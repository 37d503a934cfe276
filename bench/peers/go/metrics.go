package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	ok       prometheus.Counter // the usual answer's, looked up once
	events   prometheus.Counter
	seconds  prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_requests_total", Help: "Answers, by status.",
		}, []string{"status"}),
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_events_acknowledged_total", Help: "Events in the log.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gateway_publish_seconds", Help: "From a request's head to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	m.ok = m.requests.WithLabelValues("200")
	m.registry.MustRegister(m.requests, m.events, m.seconds)
	return m
}

func (m *metrics) answered(status int, started time.Time) {
	if status == http.StatusOK {
		m.ok.Inc()
	} else {
		m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	}
	m.seconds.Observe(time.Since(started).Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
