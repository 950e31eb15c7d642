/// A C-octet string field: its name, its longest length with the NUL, and what to answer when it is broken.
///
/// Text is Latin-1 on both sides, so that any octets survive a round trip; the specification only promises ASCII.
struct COctetField: Sendable {
    let name: String
    let maxOctets: Int
    let onError: CommandStatus

    init(_ name: String, maxOctets: Int, onError: CommandStatus) {
        self.name = name
        self.maxOctets = maxOctets
        self.onError = onError
    }

    // Lengths: SMPP 3.4 §4.1 to §4.12; meanings: §5.2.
    static let systemID = COctetField("system_id", maxOctets: 16, onError: .invalidSystemID)
    // 9 by §4.1.1. Many peers have agreed on longer ones: the authentication decides, and answers the same status.
    static let password = COctetField("password", maxOctets: 65, onError: .invalidPassword)
    static let systemType = COctetField("system_type", maxOctets: 13, onError: .invalidSystemType)
    static let addressRange = COctetField("address_range", maxOctets: 41, onError: .bindFailed)
    static let serviceType = COctetField("service_type", maxOctets: 6, onError: .invalidServiceType)
    static let sourceAddr = COctetField("source_addr", maxOctets: 21, onError: .invalidSourceAddress)
    static let destinationAddr = COctetField("destination_addr", maxOctets: 21, onError: .invalidDestinationAddress)
    /// data_sm and alert_notification allow longer addresses (§4.7.1, §4.12.1).
    static let longSourceAddr = COctetField("source_addr", maxOctets: 65, onError: .invalidSourceAddress)
    static let longDestinationAddr = COctetField("destination_addr", maxOctets: 65, onError: .invalidDestinationAddress)
    static let esmeAddr = COctetField("esme_addr", maxOctets: 65, onError: .invalidDestinationAddress)
    static let scheduleDeliveryTime = COctetField("schedule_delivery_time", maxOctets: 17, onError: .invalidScheduledDelivery)
    static let validityPeriod = COctetField("validity_period", maxOctets: 17, onError: .invalidExpiry)
    static let messageID = COctetField("message_id", maxOctets: 65, onError: .invalidMessageID)
    static let finalDate = COctetField("final_date", maxOctets: 17, onError: .unknownError)
    static let dlName = COctetField("dl_name", maxOctets: 21, onError: .invalidDistributionListName)
}
