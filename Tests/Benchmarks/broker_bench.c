// The throughput half of broker_bench.py: produces or consumes records with librdkafka and prints "<records per second> <failed>".
//
//     broker_bench produce ADDRESS TOPIC RECORDS PARTITIONS
//     broker_bench consume ADDRESS TOPIC RECORDS PARTITIONS     (RECORDS 0: whatever there is, up to the ends of the partitions)

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *const *settings, void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *)) {
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (; settings[0]; settings += 2)
        if (rd_kafka_conf_set(conf, settings[0], settings[1], reason, sizeof reason) != RD_KAFKA_CONF_OK) {
            fprintf(stderr, "%s\n", reason);
            exit(1);
        }
    if (delivered) rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *made = rd_kafka_new(type, conf, reason, sizeof reason);
    if (!made) {
        fprintf(stderr, "%s\n", reason);
        exit(1);
    }
    return made;
}

static long failed;

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
    if (message->err) failed++;
}

static void produce(const char *address, const char *topic, long records, int partitions) {
    const char *settings[] = {
        "bootstrap.servers", address, "acks", "all", "enable.idempotence", "true", "linger.ms", "5", "batch.size", "131072",
        "queue.buffering.max.messages", "500000", "socket.nagle.disable", "true", NULL, NULL};
    rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, settings, delivered);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
    char value[200];
    unsigned state = 1;
    for (size_t i = 0; i < sizeof value; i++) value[i] = (char)((state = state * 1103515245 + 12345) >> 16);
    double began = now();
    for (long n = 0; n < records; n++) {
        while (rd_kafka_produce(handle, (int)(n % partitions), RD_KAFKA_MSG_F_COPY, value, sizeof value, NULL, 0, NULL)) {
            if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) exit(1);
            rd_kafka_poll(producer, 10);
        }
        if (n % 1000 == 0) rd_kafka_poll(producer, 0);
    }
    rd_kafka_flush(producer, 120000);
    double took = now() - began;
    printf("%f %ld\n", (double)records / took, failed + rd_kafka_outq_len(producer));
    rd_kafka_topic_destroy(handle);
    rd_kafka_destroy(producer);
}

static void consume(const char *address, const char *topic, long records, int partitions) {
    const char *settings[] = {
        "bootstrap.servers", address, "group.id", "bench", "enable.auto.commit", "false", "enable.partition.eof", "true",
        "auto.offset.reset", "earliest", "fetch.message.max.bytes", "1048576", "queued.max.messages.kbytes", "65536",
        "fetch.wait.max.ms", "10", NULL, NULL};
    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, settings, NULL);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; p++) rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, list);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    static rd_kafka_message_t *batch[10000];
    long seen = 0, ended = 0;
    double began = 0, last = 0, deadline = now() + 300;
    while (now() < deadline && (records ? seen < records : ended < partitions)) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 200, batch, 10000);
        for (ssize_t i = 0; i < count; i++) {
            if (!batch[i]->err) {
                // The clock runs from the first record on: connecting is not what is measured.
                if (!began) began = now();
                seen++;
                last = 0;
            } else if (batch[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
                ended++;
            }
            rd_kafka_message_destroy(batch[i]);
        }
        if (!last) last = now();
        if (count > 0) last = now();
    }
    printf("%f %ld\n", last > began && began > 0 ? (double)seen / (last - began) : 0, records ? records - seen : 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

int main(int count, char **arguments) {
    if (count != 6) return 64;
    long records = atol(arguments[4]);
    int partitions = atoi(arguments[5]);
    if (strcmp(arguments[1], "produce") == 0)
        produce(arguments[2], arguments[3], records, partitions);
    else
        consume(arguments[2], arguments[3], records, partitions);
    return 0;
}
