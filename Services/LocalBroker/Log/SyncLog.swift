import NIOCore
import Synchronization

/// Writes down what was made durable, so that a test can cut the files back to that, as a power cut would.
///
/// One line for each sync: the length in octets up to which it counts, a blank, the file's path. A line is written before
/// anything is answered that rests on its sync.
final class SyncLog: Sendable {
    private let file: OpenFile
    private let end: Mutex<Int64>

    /// Goes on with a log that is there already.
    init(_ path: String) throws(FileError) {
        file = try OpenFile(path, .readWriteCreate)
        end = Mutex(try file.size())
    }

    func synced(_ synced: OpenFile, length: Int64) throws(FileError) {
        let line = ByteBuffer(string: "\(length) \(synced.path)\n")
        let result = end.withLock { (end: inout Int64) -> Result<Void, FileError> in
            do throws(FileError) {
                try file.write(line, at: end)
                end += Int64(line.readableBytes)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}
