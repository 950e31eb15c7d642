#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What happened at the simulator, one line per event, appended to a file so that a test can audit it.
///
/// Columns, tab separated:
///
///     1 time          milliseconds since 1970
///     2 event         BIND BIND_REFUSED SUBMIT ANSWER RECEIPT RECEIPT_ACK MO MO_ACK CANCEL REPLACE QUERY UNBIND CLOSE
///     3 smscid        the message id given; empty when none
///     4 source        source_addr
///     5 destination   destination_addr
///     6 text          decoded by data_coding, without a user data header; backslash, tab, CR and LF as \\ \t \r \n;
///                     binary data in hex behind "hex:"
///     7 system_id     of the session
///     8 session       its number since the start, from 1
///     9 sequence      sequence_number of the PDU that the event is about; empty when there is none
///     10 detail       command_status by name (BIND..., ANSWER, ..._ACK), the final state's word (RECEIPT),
///                     the reason (CLOSE), "part n of m ref r" (SUBMIT with a concatenation header)
///
/// SUBMIT and ANSWER are in the file before the answer is on its way. RECEIPT_ACK with detail TIMEOUT or ENDED means that no
/// answer came; the receipt is then sent again, as a further RECEIPT line.
final class Journal {
    enum Event: String {
        case bind = "BIND"
        case bindRefused = "BIND_REFUSED"
        case submit = "SUBMIT"
        case answer = "ANSWER"
        case receipt = "RECEIPT"
        case receiptAck = "RECEIPT_ACK"
        case mobileOriginated = "MO"
        case mobileOriginatedAck = "MO_ACK"
        case cancel = "CANCEL"
        case replace = "REPLACE"
        case query = "QUERY"
        case unbind = "UNBIND"
        case close = "CLOSE"
    }

    struct CannotOpen: Error, CustomStringConvertible {
        let path: String
        let errorNumber: Int32
        var description: String { "cannot open the journal \(self.path): \(String(cString: strerror(self.errorNumber)))" }
    }

    private let descriptor: Int32
    private var pending: [UInt8] = []
    /// The errno of the write that failed; after it nothing more is written.
    private(set) var failure: Int32?

    init(path: String) throws(CannotOpen) {
        self.descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        if self.descriptor < 0 { throw CannotOpen(path: path, errorNumber: errno) }
    }

    deinit {
        self.flush()
        close(self.descriptor)
    }

    func note(
        _ event: Event, smscid: String = "", source: String = "", destination: String = "", text: String = "", systemID: String,
        session: Int, sequence: UInt32? = nil, detail: String = ""
    ) {
        self.pending.append(contentsOf: String(epochMilliseconds()).utf8)
        for column in [
            event.rawValue, smscid, source, destination, text, systemID, String(session), sequence.map(String.init) ?? "", detail,
        ] {
            self.pending.append(0x09)
            self.append(escaped: column)
        }
        self.pending.append(0x0A)
        if self.pending.count >= 1 << 18 { self.flush() }
    }

    private func append(escaped column: String) {
        for octet in column.utf8 {
            switch octet {
            case 0x5C: self.pending += [0x5C, 0x5C]
            case 0x09: self.pending += [0x5C, 0x74]
            case 0x0A: self.pending += [0x5C, 0x6E]
            case 0x0D: self.pending += [0x5C, 0x72]
            default: self.pending.append(octet)
            }
        }
    }

    /// Hands everything to the kernel.
    func flush() {
        guard !self.pending.isEmpty else { return }
        defer { self.pending.removeAll(keepingCapacity: true) }
        if self.failure != nil { return }
        self.pending.withUnsafeBytes { bytes in
            var rest = bytes
            while let base = rest.baseAddress, rest.count > 0 {
                let written = write(self.descriptor, base, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    self.failure = errno
                    return
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
    }
}

/// Wall clock, milliseconds since 1970.
func epochMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
}
