// A shop's checkout over RESP: shop-redis [ADDRESS]. Each line it reads is `ORDER CUSTOMER SKU QUANTITY [TTL_MS]`.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	patience = 30 * time.Second // how long one call may take, all its attempts together
	ttlMs    = "600000"         // how long a customer has to pay
)

var (
	sumun *redis.Client
	input = bufio.NewScanner(os.Stdin)
)

// refused: the answer is no, and asking again will not change it.
type refused struct{ word, last, text string }

func (no refused) Error() string { return no.text }

// call sends a command until it is answered, the same words each time: the id in them makes that safe.
func call(words ...any) (state string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		reply, err := sumun.Do(ctx, words...).Result()
		if err == nil {
			answer, _ := reply.(map[any]any)
			state, _ := answer["state"].(string)
			return state, nil
		}
		wait := pause
		var answer redis.Error
		if errors.As(err, &answer) { // the server's; anything else is a connection that was lost
			text := answer.Error()
			fields := strings.Fields(text)
			switch fields[0] {
			case "OVERLOADED":
				var ms int
				fmt.Sscanf(text, "OVERLOADED retry after %d ms", &ms)
				wait = max(wait, time.Duration(ms)*time.Millisecond)
			case "LOADING", "MISCONF":
			default:
				return "", refused{fields[0], fields[len(fields)-1], text}
			}
		}
		wait += rand.N(wait / 2)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return "", err
		}
	}
}

// pay stands for your payment provider, who gets the order's id as its own idempotency key.
func pay(order string) bool {
	fmt.Println("pay", order)
	return input.Scan() && input.Text() == "paid"
}

func buy(order, customer, sku, quantity, ttl string) (string, error) {
	var no refused
	state, err := call("RESERVE", order, ttl, 1, sku, quantity, "FOR", customer)
	if errors.As(err, &no) {
		switch no.word {
		case "INSUFFICIENT":
			return fmt.Sprintf("sold out, %s left", no.last), nil
		case "LIMIT":
			return fmt.Sprintf("over the limit, %s left", no.last), nil
		case "EXPIRED", "RELEASED": // this order is over; a new attempt is a new order
			return "ended before", nil
		}
	}
	if err != nil {
		return "", err
	}
	if state == "captured" { // an earlier run of this program came this far
		return "sold", nil
	}
	if !pay(order) {
		_, err = call("RELEASE", order)
		return "cancelled", err
	}
	_, err = call("CAPTURE", order)
	if errors.As(err, &no) && (no.word == "EXPIRED" || no.word == "RELEASED") {
		return "too late, refunded", nil // the units are somebody else's by now
	}
	return "sold", err
}

func main() {
	address := "127.0.0.1:6380"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	// Protocol 3 makes a map a map. The library's own retries may stay on: whatever is sent twice has one effect.
	sumun = redis.NewClient(&redis.Options{Addr: address, Protocol: 3})
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
