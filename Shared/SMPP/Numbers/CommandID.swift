/// `command_id` (SMPP 3.4 §5.1.2.1, 5.0 §4.7.5). Open: an unknown value is legal here and refused by the framer.
public struct CommandID: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let bindReceiver = Self(rawValue: 0x0000_0001)
    public static let bindTransmitter = Self(rawValue: 0x0000_0002)
    public static let querySm = Self(rawValue: 0x0000_0003)
    public static let submitSm = Self(rawValue: 0x0000_0004)
    public static let deliverSm = Self(rawValue: 0x0000_0005)
    public static let unbind = Self(rawValue: 0x0000_0006)
    public static let replaceSm = Self(rawValue: 0x0000_0007)
    public static let cancelSm = Self(rawValue: 0x0000_0008)
    public static let bindTransceiver = Self(rawValue: 0x0000_0009)
    public static let outbind = Self(rawValue: 0x0000_000B)
    public static let enquireLink = Self(rawValue: 0x0000_0015)
    public static let submitMulti = Self(rawValue: 0x0000_0021)
    public static let alertNotification = Self(rawValue: 0x0000_0102)
    public static let dataSm = Self(rawValue: 0x0000_0103)
    public static let broadcastSm = Self(rawValue: 0x0000_0111)
    public static let queryBroadcastSm = Self(rawValue: 0x0000_0112)
    public static let cancelBroadcastSm = Self(rawValue: 0x0000_0113)
    public static let genericNack = Self(rawValue: 0x8000_0000)

    /// Bit 31 tells a response, generic_nack included.
    @inlinable public var isResponse: Bool { self.rawValue & 0x8000_0000 != 0 }

    /// The `command_id` of the answer to this request; of a response, itself.
    @inlinable public var response: CommandID { CommandID(rawValue: self.rawValue | 0x8000_0000) }

    /// The `command_id` that this response answers; of a request, itself.
    @inlinable public var request: CommandID { CommandID(rawValue: self.rawValue & 0x7FFF_FFFF) }

    /// Whether the specification has a response for this request: outbind and alert_notification have none.
    public var hasResponse: Bool { self != .outbind && self != .alertNotification && !self.isResponse }
}

extension CommandID: CustomStringConvertible {
    /// The specification's name, such as `submit_sm_resp`, or the number in hex.
    public var description: String {
        if self == .genericNack { return "generic_nack" }
        let name: String
        switch self.request {
        case .bindReceiver: name = "bind_receiver"
        case .bindTransmitter: name = "bind_transmitter"
        case .querySm: name = "query_sm"
        case .submitSm: name = "submit_sm"
        case .deliverSm: name = "deliver_sm"
        case .unbind: name = "unbind"
        case .replaceSm: name = "replace_sm"
        case .cancelSm: name = "cancel_sm"
        case .bindTransceiver: name = "bind_transceiver"
        case .outbind: name = "outbind"
        case .enquireLink: name = "enquire_link"
        case .submitMulti: name = "submit_multi"
        case .alertNotification: name = "alert_notification"
        case .dataSm: name = "data_sm"
        case .broadcastSm: name = "broadcast_sm"
        case .queryBroadcastSm: name = "query_broadcast_sm"
        case .cancelBroadcastSm: name = "cancel_broadcast_sm"
        default: return "0x" + String(self.rawValue, radix: 16)
        }
        return self.isResponse ? name + "_resp" : name
    }
}
