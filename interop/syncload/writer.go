package main

import (
	"context"
	"fmt"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Keys in each transaction that prepares the datastore: below etcd's limit of 128.
const seedTransaction = 100

// Writer writes by the schedule, whatever becomes of it.
type Writer struct {
	ended chan struct{}
	// Set when it has ended.
	err error
	// How long after its intended time a transaction ever began.
	behind time.Duration
}

func startWriter(ctx context.Context, store *clientv3.Client, scenario Scenario, schedule Schedule) *Writer {
	writer := &Writer{ended: make(chan struct{})}
	go func() {
		defer close(writer.ended)
		writer.err = writer.writeAll(ctx, store, scenario, schedule)
	}()
	return writer
}

// finish waits until everything is written, where writing began.
func (w *Writer) finish() error {
	if w == nil {
		return nil
	}
	<-w.ended
	return w.err
}

func (w *Writer) writeAll(ctx context.Context, store *clientv3.Client, scenario Scenario, schedule Schedule) error {
	number := uint32(0)
	for transaction := range scenario.transactions() {
		at := schedule.intended(transaction)
		time.Sleep(time.Until(at))
		w.behind = max(w.behind, time.Since(at))
		var writes []clientv3.Op
		for range scenario.Transaction {
			number++
			index := scenario.key(number)
			writes = append(writes, clientv3.OpPut(etcdKey(index), value(index, number, at.Sub(schedule.start))))
		}
		if _, err := store.Txn(ctx).Then(writes...).Commit(); err != nil {
			return fmt.Errorf("etcd: %w", err)
		}
	}
	return nil
}

// seed writes every key once.
func seed(ctx context.Context, store *clientv3.Client, keys int) error {
	for first := 0; first < keys; first += seedTransaction {
		var writes []clientv3.Op
		for index := first; index < min(first+seedTransaction, keys); index++ {
			writes = append(writes, clientv3.OpPut(etcdKey(index), value(index, 0, 0)))
		}
		if _, err := store.Txn(ctx).Then(writes...).Commit(); err != nil {
			return fmt.Errorf("etcd: %w", err)
		}
	}
	return nil
}

// tidy deletes every key of a run.
func tidy(ctx context.Context, store *clientv3.Client) {
	if _, err := store.Delete(ctx, keyPrefix+namePrefix, clientv3.WithPrefix()); err != nil {
		fmt.Fprintln(os.Stderr, "syncload: keys named", namePrefix+"* are left behind:", err)
	}
}
