extension PDU {
    /// In one line, for a log: no text and no password, and of addresses only how they begin.
    public var summary: String {
        var words = ["\(commandID)", "sequence \(sequenceNumber)"]
        if commandStatus != .ok || commandID.isResponse { words.append("\(commandStatus)") }
        return (words + body.words).joined(separator: ", ")
    }
}

extension PDU.Body {
    /// The fields that say something.
    fileprivate var words: [String] {
        switch self {
        case .bind(let bind):
            return ["system_id \(bind.systemID)"] + named("system_type", bind.systemType)
                + ["interface_version 0x\(String(bind.interfaceVersion.rawValue, radix: 16))"]
        case .bindResp(let response): return named("system_id", response.systemID ?? "") + parameters(response.tlvs)
        case .outbind(let outbind): return ["system_id \(outbind.systemID)"]
        case .submitSm(let message), .deliverSm(let message):
            return named("service_type", message.serviceType) + ends(message.sourceAddr, masked(message.destinationAddr))
                + flags(message.esmClass, message.registeredDelivery, message.dataCoding) + numbered("protocol_id", message.protocolID)
                + numbered("priority_flag", message.priorityFlag) + named("schedule_delivery_time", message.scheduleDeliveryTime)
                + named("validity_period", message.validityPeriod) + ["short_message \(message.shortMessage.count) octets"]
                + parameters(message.tlvs)
        case .submitMulti(let message):
            return named("service_type", message.serviceType) + ends(message.sourceAddr, "\(message.destinations.count) destinations")
                + flags(message.esmClass, message.registeredDelivery, message.dataCoding)
                + ["short_message \(message.shortMessage.count) octets"] + parameters(message.tlvs)
        case .dataSm(let message):
            return named("service_type", message.serviceType) + ends(message.sourceAddr, masked(message.destinationAddr))
                + flags(message.esmClass, message.registeredDelivery, message.dataCoding) + parameters(message.tlvs)
        case .submitSmResp(let response), .deliverSmResp(let response), .dataSmResp(let response):
            return named("message_id", response.messageID ?? "") + parameters(response.tlvs)
        case .submitMultiResp(let response): return named("message_id", response.messageID ?? "")
        case .querySm(let query): return named("message_id", query.messageID)
        case .querySmResp(let response): return named("message_id", response.messageID ?? "") + ["message_state \(response.messageState)"]
        case .cancelSm(let cancel):
            return named("message_id", cancel.messageID) + named("service_type", cancel.serviceType)
                + ends(cancel.sourceAddr, masked(cancel.destinationAddr))
        case .replaceSm(let replace):
            return named("message_id", replace.messageID) + ["short_message \(replace.shortMessage.count) octets"]
        case .unbind, .unbindResp, .cancelSmResp, .replaceSmResp, .enquireLink, .enquireLinkResp, .alertNotification, .broadcastSm,
            .broadcastSmResp, .queryBroadcastSm, .queryBroadcastSmResp, .cancelBroadcastSm, .cancelBroadcastSmResp, .genericNack:
            return []
        }
    }

    private func named(_ name: String, _ value: String) -> [String] { value.isEmpty ? [] : ["\(name) \(value)"] }
    private func numbered(_ name: String, _ value: UInt8) -> [String] { value == 0 ? [] : ["\(name) \(value)"] }

    private func ends(_ source: SMEAddress, _ destination: String) -> [String] { ["from \(masked(source))", "to \(destination)"] }

    private func flags(_ esmClass: ESMClass, _ registered: RegisteredDelivery, _ coding: DataCoding) -> [String] {
        numbered("esm_class", esmClass.rawValue) + numbered("registered_delivery", registered.rawValue)
            + ["data_coding \(coding.rawValue)"]
    }

    /// Names and lengths: a message may be in them.
    private func parameters(_ tlvs: TLVs) -> [String] { tlvs.map { "\($0.tag) \($0.value.count) octets" } }

    /// `1.1:4670123****`
    private func masked(_ address: SMEAddress) -> String {
        "\(address.ton.rawValue).\(address.npi.rawValue):\(address.value.dropLast(4))" + (address.value.isEmpty ? "" : "****")
    }
}
