import Logging
import NIOCore

/// Reads what a fetch answer holds and writes the answer. Runs on a reader thread.
enum FetchAnswer {
    static func encode(_ topics: [(String, [FetchPart])], _ reply: PendingReply, budget: Int, _ logger: Logger) -> ByteBuffer {
        var left = budget
        var first = true
        var writer = reply.writer(capacity: 1024)
        writer.int32(0)
        if reply.version >= 7 {
            writer.error(.none)
            writer.int32(0)  // no session: every fetch is a full one
        }
        writer.array(topics) { writer, topic in
            writer.string(topic.0)
            writer.array(topic.1) { writer, part in
                var part = part
                var records = ByteBuffer()
                if let plan = part.read, left > 0 || first {
                    do throws(FileError) {
                        records = try LogReader.read(plan, maxBytes: left, atLeastOne: first)
                    } catch {
                        logger.error("a segment cannot be read", metadata: ["error": "\(error)"])
                        part.error = .kafkaStorageError
                    }
                    if records.readableBytes > 0 {
                        first = false
                        left = max(0, left - records.readableBytes)
                    }
                }
                write(part, &records, reply.version, &writer)
            }
            writer.tags()
        }
        writer.tags()
        return writer.finish()
    }

    private static func write(_ part: FetchPart, _ records: inout ByteBuffer, _ version: Int16, _ writer: inout KafkaWriter) {
        writer.int32(part.index)
        writer.error(part.error)
        writer.int64(part.highWatermark)
        writer.int64(part.lastStable)
        if version >= 5 { writer.int64(part.logStart) }
        if let aborted = part.aborted {
            // Those that begin behind what is handed out come with a later fetch.
            let end = lastOffset(of: records)
            writer.array(aborted.filter { $0.firstOffset <= end }) { writer, transaction in
                writer.int64(transaction.producerID)
                writer.int64(transaction.firstOffset)
                writer.tags()
            }
        } else {
            writer.nullArray()
        }
        if version >= 11 { writer.int32(-1) }
        writer.recordsLength(records.readableBytes)
        writer.append(&records)
        writer.tags()
    }

    /// The last offset in a run of whole batches; -1 for none.
    private static func lastOffset(of records: ByteBuffer) -> Int64 {
        var index = records.readerIndex
        var last: Int64 = -1
        while let header = RecordBatchHeader(records, at: index) {
            last = header.lastOffset
            index += header.totalSize
        }
        return last
    }
}
