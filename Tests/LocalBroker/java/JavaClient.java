// What Kafka's own client does with the broker: topics, every compression, groups, transactions, offsets by time.
// Ends with status 0 and the word "done", or with an exception.
//
//     java -cp KAFKA-CLIENTS.jar JavaClient.java HOST:PORT TOPIC

import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ProducerFencedException;

public class JavaClient {
    static String address;

    static Map<String, Object> settings(Object... more) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", address);
        for (int i = 0; i < more.length; i += 2) settings.put((String) more[i], more[i + 1]);
        return settings;
    }

    static KafkaProducer<String, String> producer(Object... more) {
        var text = new org.apache.kafka.common.serialization.StringSerializer();
        return new KafkaProducer<>(settings(more), text, text);
    }

    static KafkaConsumer<String, String> consumer(Object... more) {
        var text = new org.apache.kafka.common.serialization.StringDeserializer();
        var all = settings(more);
        all.putIfAbsent("auto.offset.reset", "earliest");
        all.put("enable.auto.commit", false);
        all.put("isolation.level", "read_committed");
        return new KafkaConsumer<>(all, text, text);
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    /** Whether the library of a compression is on the class path; the client brings gzip only. */
    static boolean isThere(String codec) {
        var library = Map.of("snappy", "org.xerial.snappy.Snappy", "lz4", "net.jpountz.lz4.LZ4Factory", "zstd", "com.github.luben.zstd.Zstd");
        try {
            Class.forName(library.getOrDefault(codec, "java.lang.Object"));
            return true;
        } catch (ClassNotFoundException missing) {
            System.out.println("without " + codec);
            return false;
        }
    }

    /** All committed values, read by hand from the beginning to the end. */
    static List<String> values(String topic, int partitions) {
        List<String> found = new ArrayList<>();
        try (var c = consumer()) {
            List<TopicPartition> all = new ArrayList<>();
            for (int p = 0; p < partitions; p++) all.add(new TopicPartition(topic, p));
            c.assign(all);
            c.seekToBeginning(all);
            var ends = c.endOffsets(all);
            while (all.stream().anyMatch(p -> c.position(p) < ends.get(p)))
                for (var record : c.poll(Duration.ofMillis(200))) found.add(record.value());
        }
        Collections.sort(found);
        return found;
    }

    public static void main(String[] arguments) throws Exception {
        address = arguments[0];
        String topic = arguments[1];
        try (var admin = Admin.create(settings())) {
            admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1), new NewTopic(topic + "-out", 1, (short) 1))).all().get();
            check(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 3, "three partitions");

            List<String> sent = new ArrayList<>();
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
                if (!isThere(codec)) continue;
                try (var p = producer("compression.type", codec, "acks", "all", "linger.ms", 20)) {
                    for (int n = 0; n < 300; n++) {
                        sent.add(codec + " " + n);
                        p.send(new ProducerRecord<>(topic, "k" + n, codec + " " + n));
                    }
                }
            }
            Collections.sort(sent);
            check(values(topic, 3).equals(sent), "every compression is read back");

            long later = System.currentTimeMillis() + 60_000;
            try (var p = producer()) {
                p.send(new ProducerRecord<>(topic, 0, later, "k", "later")).get();
            }
            try (var c = consumer()) {
                var place = new TopicPartition(topic, 0);
                c.assign(List.of(place));
                c.seek(place, c.offsetsForTimes(Map.of(place, later)).get(place).offset());
                ConsumerRecord<String, String> first = null;
                for (int n = 0; first == null && n < 100; n++)
                    for (var record : c.poll(Duration.ofMillis(100))) first = first == null ? record : first;
                check(first != null && first.value().equals("later"), "an offset is found by its time");
            }

            // A group of two, then one; offsets that commit with a transaction.
            for (String assignor : List.of("Range", "CooperativeSticky")) {
                String group = topic + assignor;
                Object[] member = {"group.id", group, "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor + "Assignor"};
                try (var a = consumer(member); var b = consumer(member); var p = producer("transactional.id", group)) {
                    a.subscribe(List.of(topic));
                    b.subscribe(List.of(topic));
                    Map<TopicPartition, OffsetAndMetadata> read = new HashMap<>();
                    for (int n = 0; n < 600 && (a.assignment().isEmpty() || b.assignment().isEmpty() || read.isEmpty()); n++) {
                        for (var record : a.poll(Duration.ofMillis(50)))
                            read.put(new TopicPartition(topic, record.partition()), new OffsetAndMetadata(record.offset() + 1, "note"));
                        b.poll(Duration.ofMillis(50));
                    }
                    check(a.assignment().size() + b.assignment().size() == 3, "two members share three partitions");
                    read.keySet().retainAll(a.assignment());
                    p.initTransactions();
                    p.beginTransaction();
                    p.send(new ProducerRecord<>(topic + "-out", "aborted by " + assignor));
                    p.flush();
                    p.abortTransaction();
                    p.beginTransaction();
                    p.send(new ProducerRecord<>(topic + "-out", "committed by " + assignor));
                    p.sendOffsetsToTransaction(read, a.groupMetadata());
                    p.commitTransaction();
                    var kept = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
                    for (var partition : read.keySet()) check(kept.get(partition).equals(read.get(partition)), "offsets commit with the transaction");

                    try (var heir = producer("transactional.id", group)) {
                        heir.initTransactions();
                        p.beginTransaction();
                        p.send(new ProducerRecord<>(topic + "-out", "zombie"));
                        try {
                            p.commitTransaction();
                            throw new AssertionError("a zombie could commit");
                        } catch (ProducerFencedException expected) {
                        }
                    }
                }
                check(admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().isEmpty(), "members left");
                admin.deleteConsumerGroups(List.of(group)).all().get();
            }
            check(values(topic + "-out", 1).equals(List.of("committed by CooperativeSticky", "committed by Range")), "only what was committed");

            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
            check(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 5, "five partitions");
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            var change = new AlterConfigOp(new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET);
            admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
            check(admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value().equals("7200000"), "configured");
            var first = new TopicPartition(topic, 0);
            admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(2))).all().get();
            check(admin.listOffsets(Map.of(first, OffsetSpec.earliest())).all().get().get(first).offset() == 2, "records are deleted");
            admin.deleteTopics(List.of(topic, topic + "-out")).all().get();
            check(!admin.listTopics().names().get().contains(topic), "topics are deleted");
        }
        System.out.println("done");
    }
}
