import Charset
import LoadModel
import SMPP

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Which submits came and when, as `ArrivalRecord`s appended to a file: what a load test needs to know, at a fraction of the journal's
/// cost. A record is in the file before the answer to its submit is on its way.
final class ArrivalLog {
    private let descriptor: Int32
    private var pending: [UInt8] = []
    /// After a write that failed nothing more is written: a reader sees less than was sent, and says so.
    private var hasFailed = false

    init(path: String) throws(Journal.CannotOpen) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw Journal.CannotOpen(path: path, errorNumber: errno) }
    }

    deinit {
        flush()
        close(descriptor)
    }

    /// - Parameter now: nanoseconds since the machine's start.
    func note(_ submit: SubmitSm, isTaken: Bool, now: UInt64) {
        var part = (sequence: UInt8(1), total: UInt8(1))
        if submit.esmClass.hasUserDataHeader, let (header, _) = UserDataHeader.parse(submit.userData),
            let concatenation = header.concatenation
        {
            part = (concatenation.sequence, concatenation.total)
        } else if let segmentation = submit.tlvs.segmentation {
            part = (segmentation.sequence, segmentation.total)
        }
        ArrivalRecord(
            destination: decimalValue(submit.destinationAddr.value.utf8), nanoseconds: now, part: part.sequence, parts: part.total,
            isTaken: isTaken
        ).encode(into: &pending)
        if pending.count >= 1 << 18 { flush() }
    }

    /// Hands everything to the kernel.
    func flush() {
        guard !pending.isEmpty else { return }
        defer { pending.removeAll(keepingCapacity: true) }
        guard !hasFailed else { return }
        pending.withUnsafeBytes { bytes in
            var rest = bytes
            while let base = rest.baseAddress, rest.count > 0 {
                let written = write(descriptor, base, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    hasFailed = true
                    return
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
    }
}
