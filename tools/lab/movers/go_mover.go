// Go's net/http: one client, its transport keeping a connection for each worker. See tally.py.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

type tally struct {
	sync.Mutex
	Requests   int    `json:"requests"`
	Errors     int    `json:"errors"`
	FirstError string `json:"first_error"`
	expected   []byte
}

func (t *tally) fail(what string) {
	t.Errors++
	if t.FirstError == "" {
		t.FirstError = what
	}
}

func (t *tally) add(status int, body []byte, err error) {
	t.Lock()
	defer t.Unlock()
	if t.expected == nil && err == nil {
		t.expected = body
	}
	switch {
	case err != nil:
		t.fail(err.Error())
	case status != 200:
		t.fail(fmt.Sprint("status ", status))
	case !bytes.Equal(body, t.expected):
		t.fail(fmt.Sprintf("an answer of %d other bytes", len(body)))
	default:
		t.Requests++
	}
}

func ask(client *http.Client, url, method string) (int, []byte, error) {
	var sent io.Reader
	if method == "POST" {
		sent = bytes.NewReader(bytes.Repeat([]byte("x"), 200))
	}
	request, err := http.NewRequest(method, url, sent)
	if err != nil {
		return 0, nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

func main() {
	url, method := os.Args[1], os.Args[2]
	connections, _ := strconv.Atoi(os.Args[3])
	seconds, _ := strconv.ParseFloat(os.Args[4], 64)
	thinkMs, _ := strconv.Atoi(os.Args[5])
	client := &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections,
		},
	}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	var counted tally
	var workers sync.WaitGroup
	for i := 0; i < connections; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for time.Now().Before(end) {
				counted.add(ask(client, url, method))
				time.Sleep(time.Duration(thinkMs) * time.Millisecond)
			}
		}()
	}
	workers.Wait()
	line, _ := json.Marshal(&counted)
	fmt.Println(string(line))
}
