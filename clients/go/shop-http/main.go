// A shop's checkout over HTTP: shop-http [ADDRESS]. Each line it reads is `ORDER CUSTOMER SKU QUANTITY [TTL_MS]`.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	patience = 30 * time.Second // how long one call may take, all its attempts together
	ttlMs    = "600000"         // how long a customer has to pay
)

var (
	base   = "http://127.0.0.1:7080/v1"
	client = &http.Client{Timeout: 5 * time.Second}
	input  = bufio.NewScanner(os.Stdin)
)

// record is what a reservation comes to, as far as a checkout needs it.
type record struct{ State string }

// problem is what every answer but a 2xx has as its body.
type problem struct {
	Code         string
	Detail       string
	Retryable    bool
	RetryAfterMs int64 `json:"retry_after_ms"`
	Lines        []struct{ Available, Left int64 }
}

func (no problem) Error() string { return no.Detail }

// call posts until it is answered, the same body each time: the id in it makes that safe. An error that is a
// problem is a refusal: asking again will not change it.
func call(path string, body any) (record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	content, err := json.Marshal(body)
	if err != nil {
		return record{}, err
	}
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		done, err := post(ctx, path, content)
		if err == nil {
			return done, nil
		}
		wait := pause // no answer: it may or may not have been done
		var no problem
		if errors.As(err, &no) {
			if !no.Retryable { // true of 503 alone
				return record{}, no
			}
			wait = max(wait, time.Duration(no.RetryAfterMs)*time.Millisecond)
		}
		wait += rand.N(wait / 2)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return record{}, err
		}
	}
}

func post(ctx context.Context, path string, content []byte) (done record, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(content))
	if err != nil {
		return done, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return done, err
	}
	defer answer.Body.Close()
	if answer.StatusCode < 300 {
		return done, json.NewDecoder(answer.Body).Decode(&done)
	}
	var no problem
	if err := json.NewDecoder(answer.Body).Decode(&no); err != nil {
		return done, err
	}
	return done, no
}

// pay stands for your payment provider, who gets the order's id as its own idempotency key.
func pay(order string) bool {
	fmt.Println("pay", order)
	return input.Scan() && input.Text() == "paid"
}

func buy(order, customer, sku, quantity, ttl string) (string, error) {
	units, err := strconv.ParseInt(quantity, 10, 64)
	if err != nil {
		return "", err
	}
	heldMs, err := strconv.ParseInt(ttl, 10, 64)
	if err != nil {
		return "", err
	}
	var no problem
	held, err := call("/reservations", map[string]any{
		"id": order, "holder": customer, "ttl_ms": heldMs,
		"lines": []any{map[string]any{"sku": sku, "quantity": units}},
	})
	if errors.As(err, &no) {
		switch no.Code {
		case "insufficient_stock":
			return fmt.Sprintf("sold out, %d left", no.Lines[0].Available), nil
		case "limit_exceeded":
			return fmt.Sprintf("over the limit, %d left", no.Lines[0].Left), nil
		case "expired", "already_released": // this order is over; a new attempt is a new order
			return "ended before", nil
		}
	}
	if err != nil {
		return "", err
	}
	if held.State == "captured" { // an earlier run of this program came this far
		return "sold", nil
	}
	path := "/reservations/" + url.PathEscape(order)
	if !pay(order) {
		_, err = call(path+"/release", struct{}{})
		return "cancelled", err
	}
	_, err = call(path+"/capture", struct{}{})
	if errors.As(err, &no) && (no.Code == "expired" || no.Code == "already_released") {
		return "too late, refunded", nil // the units are somebody else's by now
	}
	return "sold", err
}

func main() {
	if len(os.Args) > 1 {
		base = "http://" + os.Args[1] + "/v1"
	}
	for input.Scan() {
		order := append(strings.Fields(input.Text()), ttlMs)
		outcome, err := buy(order[0], order[1], order[2], order[3], order[4])
		if err != nil {
			fmt.Fprintln(os.Stderr, order[0], err)
			os.Exit(1)
		}
		fmt.Println(order[0], outcome)
	}
}
