// The job disk.create as a usual worker in Go does it: amqp091-go, pgx, and a goroutine for each job under way.
//
// A job is one message of JOBS_QUEUE and one transaction of LEDGER_SQL ($1 job), DISK_SQL ($1 job, $2 user, $3 name,
// $4 GiB) and OUTBOX_SQL ($1 job, $2 body of the event; returns the row's id), in one round trip. After the commit the
// event goes to EVENTS_EXCHANGE. When the broker has confirmed it the message is acknowledged, and its outbox row is
// deleted with others. A job that the ledger has already does nothing. At the start whatever is in the outbox is
// published once more: a death at any place loses nothing. Whatever is not expected ends the program.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	sessions   = 16
	handlers   = 128
	prefetch   = 256
	deadline   = 30 * time.Second
	eventType  = "disk.create.completed"
	duplicate  = "23505" // unique_violation
	deleteMost = 256
)

type disk struct {
	UserID   string `json:"user_id"`
	DiskName string `json:"disk_name"`
	SizeGB   int    `json:"size_gb"`
}

type eventData struct {
	DiskID string `json:"disk_id"`
	disk
}

type cloudEvent struct {
	SpecVersion string    `json:"specversion"`
	Source      string    `json:"source"`
	ContentType string    `json:"datacontenttype"`
	ID          string    `json:"id"`
	Type        string    `json:"type"`
	Subject     string    `json:"subject"`
	Time        time.Time `json:"time"`
	JobID       string    `json:"jobid"`
	Data        eventData `json:"data"`
}

type worker struct {
	database  *pgxpool.Pool
	events    *amqp.Channel
	deletable chan int64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	broker, err := amqp.DialConfig(os.Getenv("AMQP_URL"), amqp.Config{Dial: amqp.DefaultDial(deadline)})
	must(err)
	w := worker{database: connect(ctx), events: confirming(broker), deletable: make(chan int64, 4096)}
	must(w.publishLeftovers(ctx))
	go w.deleteConfirmed(ctx)
	deliveries := consume(broker)
	for i := 0; i < handlers; i++ {
		go w.handle(ctx, deliveries)
	}
	select {
	case <-ctx.Done():
	case err := <-broker.NotifyClose(make(chan *amqp.Error, 1)):
		log.Fatal(err)
	case event := <-w.events.NotifyReturn(make(chan amqp.Return)):
		log.Fatalf("no queue takes %s", event.MessageId)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// connect opens the pool, whose connections have prepared what a job needs.
func connect(ctx context.Context) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	must(err)
	config.MaxConns = sessions
	config.AfterConnect = func(ctx context.Context, connection *pgx.Conn) error {
		for _, name := range []string{"LEDGER_SQL", "DISK_SQL", "OUTBOX_SQL"} {
			if _, err := connection.Prepare(ctx, name, os.Getenv(name)); err != nil {
				return err
			}
		}
		return nil
	}
	pool, err := pgxpool.ConnectConfig(ctx, config)
	must(err)
	return pool
}

func confirming(broker *amqp.Connection) *amqp.Channel {
	channel, err := broker.Channel()
	must(err)
	must(channel.Confirm(false))
	return channel
}

func consume(broker *amqp.Connection) <-chan amqp.Delivery {
	channel, err := broker.Channel()
	must(err)
	must(channel.Qos(prefetch, 0, false))
	deliveries, err := channel.Consume(os.Getenv("JOBS_QUEUE"), "", false, false, false, false, nil)
	must(err)
	return deliveries
}

func (w *worker) handle(ctx context.Context, deliveries <-chan amqp.Delivery) {
	for delivery := range deliveries {
		if err := w.do(ctx, delivery); err != nil && ctx.Err() == nil {
			log.Fatal(err)
		}
	}
}

// do ends with the acknowledgement of the message.
func (w *worker) do(ctx context.Context, delivery amqp.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	var wanted disk
	if err := json.Unmarshal(delivery.Body, &wanted); err != nil {
		return err
	}
	job := delivery.MessageId
	body, err := json.Marshal(cloudEvent{
		"1.0", "/gpudev-worker", "application/json", job + ".completed", eventType,
		"disk/" + wanted.UserID + "/" + wanted.DiskName, time.Now().UTC(), job, eventData{job, wanted},
	})
	if err != nil {
		return err
	}
	row, err := w.write(ctx, job, wanted, body)
	if isDuplicate(err) {
		return delivery.Ack(false)
	}
	if err != nil {
		return err
	}
	if err := w.publish(ctx, job, body); err != nil {
		return err
	}
	w.deletable <- row
	return delivery.Ack(false)
}

// write commits the three rows in one round trip, an implicit transaction, and returns the id of the outbox's.
func (w *worker) write(ctx context.Context, job string, wanted disk, body []byte) (row int64, err error) {
	batch := &pgx.Batch{}
	batch.Queue("LEDGER_SQL", job)
	batch.Queue("DISK_SQL", job, wanted.UserID, wanted.DiskName, wanted.SizeGB)
	batch.Queue("OUTBOX_SQL", job, body)
	results := w.database.SendBatch(ctx, batch)
	defer func() {
		if closing := results.Close(); err == nil {
			err = closing
		}
	}()
	for i := 0; i < 2; i++ {
		if _, err = results.Exec(); err != nil {
			return
		}
	}
	err = results.QueryRow().Scan(&row)
	return
}

func isDuplicate(err error) bool {
	var refusal *pgconn.PgError
	return errors.As(err, &refusal) && refusal.Code == duplicate && refusal.TableName == "job_ledger"
}

// publish ends with the broker's confirm.
func (w *worker) publish(ctx context.Context, job string, body []byte) error {
	confirm, err := w.events.PublishWithDeferredConfirmWithContext(
		ctx, os.Getenv("EVENTS_EXCHANGE"), eventType, true, false, amqp.Publishing{
			ContentType: "application/cloudevents+json", DeliveryMode: amqp.Persistent, CorrelationId: job,
			MessageId: job + ".completed", Type: eventType, Body: body,
		})
	if err != nil {
		return err
	}
	late := time.AfterFunc(deadline, func() { log.Fatal("the broker does not confirm an event") })
	defer late.Stop()
	if !confirm.Wait() {
		return errors.New("the broker refused an event")
	}
	return nil
}

func (w *worker) deleteConfirmed(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	var rows []int64
	for {
		select {
		case <-ctx.Done():
			return
		case row := <-w.deletable:
			rows = append(rows, row)
			if len(rows) < deleteMost {
				continue
			}
		case <-tick.C:
		}
		if len(rows) > 0 {
			must(w.delete(ctx, rows))
			rows = rows[:0]
		}
	}
}

// delete need not wait for the disk: what PostgreSQL forgets of it in a crash goes out again under its id.
func (w *worker) delete(ctx context.Context, rows []int64) error {
	batch := &pgx.Batch{}
	batch.Queue("SELECT set_config('synchronous_commit', 'off', true)")
	batch.Queue("DELETE FROM outbox WHERE id = ANY($1::bigint[])", rows)
	return w.database.SendBatch(ctx, batch).Close()
}

// publishLeftovers publishes what an earlier process left in the outbox.
func (w *worker) publishLeftovers(ctx context.Context) error {
	rows, err := w.database.Query(ctx, "SELECT id, correlation_id, body FROM outbox ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	var published []int64
	for rows.Next() {
		var row int64
		var job string
		var body []byte
		if err := rows.Scan(&row, &job, &body); err != nil {
			return err
		}
		if err := w.publish(ctx, job, body); err != nil {
			return err
		}
		published = append(published, row)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return w.delete(ctx, published)
}
