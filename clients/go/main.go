// go-redis drives Sumun: client ADDRESS CUTTING_ADDRESS PROTOCOL. Prints one line that begins with `ok`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

var ctx = context.Background()

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func equal(seen, expected any) {
	if seen != expected {
		must(fmt.Errorf("%v is not %v", seen, expected))
	}
}

func words(command string) []any {
	var out []any
	for _, word := range strings.Split(command, " ") {
		out = append(out, word)
	}
	return out
}

func say(client *redis.Client, command string) any {
	reply, err := client.Do(ctx, words(command)...).Result()
	must(err)
	return reply
}

// entries is a map, which RESP2 shows as a flat slice.
func entries(reply any) map[any]any {
	switch reply := reply.(type) {
	case map[any]any:
		return reply
	case []any:
		out := map[any]any{}
		for i := 0; i+1 < len(reply); i += 2 {
			out[reply[i]] = reply[i+1]
		}
		return out
	default:
		must(fmt.Errorf("%T is no map", reply))
		return nil
	}
}

func connect(address string, protocol int) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: address, Protocol: protocol})
}

func verbs(client *redis.Client) (shape, null string) {
	configured, err := client.Do(ctx, "CONFIGURE", "shirt", "LIMIT", 100000, "METADATA", `{"n": 1}`).Int64()
	must(err)
	equal(configured, int64(0))
	equal(say(client, "RECEIVE shirt 100000 ID m1"), int64(100000))
	equal(say(client, "RECEIVE shirt 100000 ID m1"), int64(100000))
	equal(say(client, "RECEIVE hat 1 ID m1"), int64(1))
	equal(say(client, "ADJUST shirt -1000 REASON broken ID m2"), int64(99000))
	for _, replayed := range []int64{0, 1} {
		held := entries(say(client, "RESERVE r1 60000 1 shirt 5 FOR kim"))
		equal(held["state"], "held")
		equal(held["replayed"], replayed)
	}
	equal(entries(say(client, "EXTEND r1 120000"))["state"], "held")
	equal(entries(say(client, "CAPTURE r1 1 shirt 2 ID c1"))["state"], "held")
	equal(entries(say(client, "RELEASE r1 1 shirt 1 ID x1"))["state"], "held")
	equal(entries(say(client, "RETURN r1 1 shirt 1 ID t1"))["state"], "held")
	equal(entries(say(client, "CAPTURE r1"))["state"], "captured")
	equal(entries(say(client, "RELEASE gone"))["tombstone"], int64(1))
	record := entries(say(client, "RESERVATION r1"))
	line := entries(record["lines"].([]any)[0])
	equal(record["state"], "captured")
	equal(line["captured"], int64(4))
	equal(line["released"], int64(1))
	equal(line["returned"], int64(1))
	item := say(client, "ITEM shirt")
	equal(entries(item)["on_hand"], int64(98997))
	equal(entries(entries(item)["limit"])["quantity"], int64(100000))
	equal(entries(item)["metadata"], `{"n": 1}`)
	_, err = client.Do(ctx, "ITEM", "nosuch").Result()
	if !errors.Is(err, redis.Nil) {
		must(fmt.Errorf("null is %v", err))
	}
	return fmt.Sprintf("%T", item), "redis.Nil"
}

func refusal(client *redis.Client) string {
	_, err := client.Do(ctx, words("RESERVE r2 60000 1 hat 2")...).Result()
	var refused redis.Error
	if !errors.As(err, &refused) {
		must(fmt.Errorf("a refusal is an error, not %v", err))
	}
	equal(refused.Error(), "INSUFFICIENT hat wanted 2 available 1")
	return "redis.Error"
}

func pipelines(client *redis.Client) {
	transaction := client.TxPipeline()
	held := transaction.Do(ctx, words("RESERVE t1 60000 1 hat 1")...)
	refused := transaction.Do(ctx, words("RESERVE t2 60000 1 hat 1")...)
	item := transaction.Do(ctx, words("ITEM hat")...)
	// Exec gives the first error; each command has its own reply.
	_, _ = transaction.Exec(ctx)
	equal(entries(held.Val())["state"], "held")
	equal(refused.Err().Error(), "INSUFFICIENT hat wanted 1 available 0")
	equal(entries(item.Val())["reserved"], int64(1))

	pipeline := client.Pipeline()
	for n := range 1000 {
		pipeline.Do(ctx, words(fmt.Sprintf("RESERVE p%d 60000 1 shirt 1 FOR kim", n))...)
	}
	replies, err := pipeline.Exec(ctx)
	must(err)
	last := int64(0)
	for _, reply := range replies {
		held := entries(reply.(*redis.Cmd).Val())
		equal(held["state"], "held")
		sequence := held["sequence"].(int64)
		if sequence <= last {
			must(fmt.Errorf("sequence %d after %d", sequence, last))
		}
		last = sequence
	}
	equal(len(replies), 1000)
}

// cut sends through a connection that is cut after the request was forwarded: sent again, by the library or by us, it
// has one effect.
func cut(client, through *redis.Client) string {
	must(through.Ping(ctx).Err())
	reply, again := twice(func() (any, error) {
		return through.Do(ctx, words("RESERVE cut-one 60000 1 shirt 1 FOR kim")...).Result()
	})
	equal(entries(reply)["state"], "held")
	equal(entries(reply)["replayed"], int64(1))
	equal(entries(say(client, "ITEM shirt"))["reserved"], int64(1001))
	reply, againAll := twice(func() (any, error) {
		transaction := through.TxPipeline()
		held := transaction.Do(ctx, words("RESERVE cut-all 60000 1 shirt 1 FOR kim")...)
		transaction.Do(ctx, words("ITEM shirt")...)
		_, err := transaction.Exec(ctx)
		return held.Val(), err
	})
	equal(entries(reply)["state"], "held")
	equal(entries(say(client, "ITEM shirt"))["reserved"], int64(1002))
	return fmt.Sprintf("again=%s transaction-again=%s", again, againAll)
}

// twice does it again when the library gives up, and says who sent again: the library (yes) or we (no).
func twice(action func() (any, error)) (any, string) {
	reply, err := action()
	if err == nil {
		return reply, "yes"
	}
	reply, err = action()
	must(err)
	return reply, "no"
}

func main() {
	protocol, err := strconv.Atoi(os.Args[3])
	must(err)
	client := connect(os.Args[1], protocol)
	must(client.Ping(ctx).Err())
	shape, null := verbs(client)
	refused := refusal(client)
	pipelines(client)
	again := cut(client, connect(os.Args[2], protocol))
	shape = strings.ReplaceAll(shape, "interface {}", "any")
	fmt.Printf("ok go-redis %s resp%d map=%s null=%s error=%s %s\n",
		redis.Version(), protocol, shape, null, refused, again)
}
