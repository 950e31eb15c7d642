import Glibc
import CRdKafka

/// An offset to commit: the next record to read, with a note that comes back with it (at most 4,096 bytes).
struct CommittedOffset: Equatable {
    var partition: TopicPartition
    var offset: Int64
    var note: String = ""
}

/// Owns one `rd_kafka_topic_partition_list_t`; `deinit` is the only place that frees it.
struct TopicPartitionList: ~Copyable {
    let raw: OpaquePointerList

    init(owning raw: OpaquePointerList) { self.raw = raw }

    init(_ partitions: [TopicPartition]) {
        raw = rd_kafka_topic_partition_list_new(Int32(partitions.count))
        for partition in partitions { rd_kafka_topic_partition_list_add(raw, partition.topic, partition.partition) }
    }

    init(_ offsets: [CommittedOffset]) {
        raw = rd_kafka_topic_partition_list_new(Int32(offsets.count))
        for committed in offsets {
            guard let element = rd_kafka_topic_partition_list_add(raw, committed.partition.topic, committed.partition.partition) else {
                continue
            }
            element.pointee.offset = committed.offset
            if !committed.note.isEmpty {
                // librdkafka frees the note with the list, by rd_free, which is free().
                element.pointee.metadata = UnsafeMutableRawPointer(strdup(committed.note))
                element.pointee.metadata_size = committed.note.utf8.count
            }
        }
    }

    deinit { rd_kafka_topic_partition_list_destroy(raw) }

    var offsets: [CommittedOffset] { TopicPartitionList.offsets(of: raw) }

    static func offsets(of raw: OpaquePointerList) -> [CommittedOffset] {
        (0..<Int(raw.pointee.cnt)).map { index in
            let element = raw.pointee.elems[index]
            var note = ""
            if let metadata = element.metadata, element.metadata_size > 0 {
                note = String(decoding: UnsafeRawBufferPointer(start: metadata, count: element.metadata_size), as: UTF8.self)
            }
            return CommittedOffset(
                partition: TopicPartition(topic: String(cString: element.topic), partition: element.partition), offset: element.offset,
                note: note)
        }
    }
}
