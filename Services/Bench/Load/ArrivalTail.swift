import Foundation
import LoadModel

/// Reads what the simulated provider appends to its file of arrivals, as it grows.
struct ArrivalTail: ~Copyable {
    /// Octets read at a time: two hundred thousand messages a second at a look each ten milliseconds.
    private static let most = 24 * 2_048
    private let descriptor: Int32
    private var offset: Int64
    private var unfinished: [UInt8] = []

    /// - Throws: `LoadFailure` where there is no such file.
    init(path: String, offset: Int64) throws(LoadFailure) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw LoadFailure("\(path) cannot be read: \(String(cString: strerror(errno)))") }
        self.offset = offset
    }

    deinit { close(descriptor) }

    /// Gives what has come since the last look to `body`.
    mutating func read(_ body: (ArrivalRecord) -> Void) {
        while true {
            let descriptor = descriptor
            let place = Int(offset)
            let chunk = [UInt8](unsafeUninitializedCapacity: ArrivalTail.most) { room, count in
                count = max(0, pread(descriptor, room.baseAddress, room.count, place))
            }
            guard !chunk.isEmpty else { return }
            offset += Int64(chunk.count)
            unfinished.append(contentsOf: chunk)
            ArrivalRecord.take(from: &unfinished, body)
            guard chunk.count == ArrivalTail.most else { return }
        }
    }

    /// How long the file is now: where the next load's arrivals begin.
    static func end(of path: String) -> Int64 {
        var information = stat()
        return stat(path, &information) == 0 ? Int64(information.st_size) : 0
    }
}
