import SMPP

/// Requests above the allowed rate, in their order, until their turn comes. Bounded by the session's window, and by `isMany`, at which
/// no more is read. Pure.
struct WaitingRequests {
    /// A client whose window is not larger gets its enquire_link answered at once, however slow its messages go.
    static let many = 100
    static let manyOctets = 1 << 18

    private var pdus: [PDU] = []
    private var head = 0
    private var octets = 0

    var isEmpty: Bool { head == pdus.count }
    var isMany: Bool { pdus.count - head >= WaitingRequests.many || octets >= WaitingRequests.manyOctets }
    var first: PDU? { isEmpty ? nil : pdus[head] }

    mutating func append(_ pdu: PDU) {
        pdus.append(pdu)
        octets += WaitingRequests.octets(pdu)
    }

    mutating func removeFirst() {
        octets -= WaitingRequests.octets(pdus[head])
        head += 1
        if head >= 64 {
            pdus.removeFirst(head)
            head = 0
        }
    }

    /// Roughly.
    private static func octets(_ pdu: PDU) -> Int {
        func sum(_ tlvs: TLVs) -> Int { tlvs.reduce(0) { $0 + $1.value.count } }
        return switch pdu.body {
        case .submitSm(let submit): 100 + submit.shortMessage.count + sum(submit.tlvs)
        case .submitMulti(let multi): 100 + multi.shortMessage.count + sum(multi.tlvs) + multi.destinations.count * 30
        case .dataSm(let data): 100 + sum(data.tlvs)
        default: 100
        }
    }
}
