import SMPP

/// What Wireshark calls the fields of a PDU, and the values that our decoder finds for them; a field that stands more than
/// once has its values in their order. Times are left out: the dissector shows them as dates in its own zone.
struct DissectedFields {
    private(set) var values: [String: [String]] = [:]

    init(_ pdu: PDU) {
        self.add("command_id", pdu.commandID.rawValue)
        // Shown of responses only.
        if pdu.commandID.isResponse { self.add("command_status", pdu.commandStatus.rawValue) }
        self.add("sequence_number", pdu.sequenceNumber)
        switch pdu.body {
        case .bind(let bind):
            self.add("system_id", bind.systemID)
            self.add("password", bind.password)
            self.add("system_type", bind.systemType)
            self.add("interface_version", bind.interfaceVersion.rawValue)
            self.add("addr_ton", bind.addrTON.rawValue)
            self.add("addr_npi", bind.addrNPI.rawValue)
            self.add("address_range", bind.addressRange)
        case .bindResp(let bind):
            bind.systemID.map { self.add("system_id", $0) }
            self.add(bind.tlvs)
        case .outbind(let outbind):
            self.add("system_id", outbind.systemID)
            self.add("password", outbind.password)
        case .submitSm(let message), .deliverSm(let message): self.add(message, destinations: [.address(message.destinationAddr)])
        case .submitMulti(let multi): self.add(multi.submitSm(to: .init()), destinations: multi.destinations)
        case .submitSmResp(let response), .deliverSmResp(let response), .dataSmResp(let response), .broadcastSmResp(let response),
            .queryBroadcastSmResp(let response):
            response.messageID.map { self.add("message_id", $0) }
            self.add(response.tlvs)
        case .submitMultiResp(let response):
            response.messageID.map { self.add("message_id", $0) }
            for one in response.unsuccessful {
                self.add(destination: one.address)
                self.add("error_status_code", one.status.rawValue)
            }
            self.add(response.tlvs)
        case .dataSm(let message):
            self.add("service_type", message.serviceType)
            self.add(source: message.sourceAddr)
            self.add(destination: message.destinationAddr)
            self.add(message.esmClass, message.registeredDelivery, message.dataCoding)
            self.add(message.tlvs)
        case .querySm(let query):
            self.add("message_id", query.messageID)
            self.add(source: query.sourceAddr)
        case .querySmResp(let response):
            response.messageID.map { self.add("message_id", $0) }
            self.add("message_state", response.messageState.rawValue)
            self.add("error_code", response.errorCode)
        case .cancelSm(let cancel):
            self.add("service_type", cancel.serviceType)
            self.add("message_id", cancel.messageID)
            self.add(source: cancel.sourceAddr)
            self.add(destination: cancel.destinationAddr)
        case .replaceSm(let replace):
            self.add("message_id", replace.messageID)
            self.add(source: replace.sourceAddr)
            self.add(replace.registeredDelivery)
            self.add("sm_default_msg_id", replace.smDefaultMsgID)
            self.add("sm_length", UInt8(replace.shortMessage.count))
            self.add("message", octets: replace.shortMessage)
        case .alertNotification(let alert):
            self.add(source: alert.sourceAddr)
            self.add("esme_addr_ton", alert.esmeAddr.ton.rawValue)
            self.add("esme_addr_npi", alert.esmeAddr.npi.rawValue)
            self.add("esme_addr", alert.esmeAddr.value)
            self.add(alert.tlvs)
        case .broadcastSm(let broadcast):
            self.add("service_type", broadcast.serviceType)
            self.add(source: broadcast.sourceAddr)
            self.add("message_id", broadcast.messageID)
            self.add("priority_flag", broadcast.priorityFlag)
            self.add("replace_if_present_flag", broadcast.replaceIfPresentFlag)
            self.add("data_coding", broadcast.dataCoding.rawValue)
            self.add("sm_default_msg_id", broadcast.smDefaultMsgID)
            self.add(broadcast.tlvs)
        case .queryBroadcastSm(let query):
            self.add("message_id", query.messageID)
            self.add(source: query.sourceAddr)
            self.add(query.tlvs)
        case .cancelBroadcastSm(let cancel):
            self.add("service_type", cancel.serviceType)
            self.add("message_id", cancel.messageID)
            self.add(source: cancel.sourceAddr)
            self.add(cancel.tlvs)
        case .unbind, .unbindResp, .cancelSmResp, .replaceSmResp, .enquireLink, .enquireLinkResp, .cancelBroadcastSmResp, .genericNack:
            break
        }
    }

    // MARK: Fields

    private mutating func add(_ message: SubmitSm, destinations: [SubmitMulti.Destination]) {
        self.add("service_type", message.serviceType)
        self.add(source: message.sourceAddr)
        for destination in destinations {
            switch destination {
            case .address(let address): self.add(destination: address)
            case .distributionList(let name): self.add("dl_name", name)
            }
        }
        self.add(message.esmClass, message.registeredDelivery, message.dataCoding)
        self.add("protocol_id", message.protocolID)
        self.add("priority_flag", message.priorityFlag)
        self.add("replace_if_present_flag", message.replaceIfPresentFlag)
        self.add("sm_default_msg_id", message.smDefaultMsgID)
        self.add("sm_length", UInt8(message.shortMessage.count))
        if !message.shortMessage.isEmpty { self.add("message", octets: message.shortMessage) }
        self.add(message.tlvs)
    }

    private mutating func add(_ esmClass: ESMClass, _ delivery: RegisteredDelivery, _ coding: DataCoding) {
        self.add("esm.submit.msg_mode", esmClass.messagingMode)
        self.add("esm.submit.msg_type", esmClass.messageType >> 2)
        self.add("esm.submit.features", esmClass.rawValue >> 6)
        self.add(delivery)
        self.add("data_coding", coding.rawValue)
    }

    private mutating func add(_ delivery: RegisteredDelivery) {
        self.add("regdel.receipt", delivery.receipt)
        self.add("regdel.notif", delivery.wantsIntermediateNotification ? UInt8(1) : 0)
    }

    private mutating func add(source: SMEAddress) {
        self.add("source_addr_ton", source.ton.rawValue)
        self.add("source_addr_npi", source.npi.rawValue)
        self.add("source_addr", source.value)
    }

    private mutating func add(destination: SMEAddress) {
        self.add("dest_addr_ton", destination.ton.rawValue)
        self.add("dest_addr_npi", destination.npi.rawValue)
        self.add("destination_addr", destination.value)
    }

    private mutating func add(_ tlvs: TLVs) {
        for tlv in tlvs {
            self.add("opt_param_tag", tlv.tag.rawValue)
            self.add("opt_param_len", UInt16(tlv.value.count))
            self.add(tlv)
        }
    }

    private mutating func add(_ tlv: TLV) {
        let name = Self.otherNames[tlv.tag] ?? tlv.tag.description
        switch (tlv.tag, tlv.typedValue) {
        case (.broadcastEndTime, _): break  // a time
        case (.networkErrorCode, .networkError(let error)):
            self.add("network_error.type", error.networkType)
            self.add("network_error.code", error.code)
        case (.broadcastContentType, .octets(let octets)):
            self.add("broadcast_content_type.nw", octets[0])
            self.add("broadcast_content_type.type", UInt16(octets[1]) << 8 | UInt16(octets[2]))
        case (.broadcastFrequencyInterval, .octets(let octets)):
            self.add("broadcast_frequency_interval.unit", octets[0])
            self.add("broadcast_frequency_interval.value", UInt16(octets[1]) << 8 | UInt16(octets[2]))
        case (.broadcastAreaIdentifier, .octets(let octets)):
            self.add("broadcast_area_identifier.format", octets[0])
            self.add("broadcast_area_identifier", octets: octets)
        case (.msMsgWaitFacilities, .integer(let bits)):
            self.add("msg_wait.ind", bits >> 7)
            self.add("msg_wait.type", bits & 3)
        case (.itsSessionInfo, .integer(let bits)):
            self.add("its_session.number", bits >> 8)
            self.add("its_session.sequence", bits >> 1 & 0x7F)
            self.add("its_session.ind", bits & 1)
        case (.callbackNumPresInd, .integer(let bits)):
            self.add("callback_num.pres", bits >> 2 & 3)
            self.add("callback_num.scrn", bits & 3)
        case (.callbackNum, _), (.callbackNumAtag, _): break  // shown as text, not as a field of its own
        case (.alertOnMessageDelivery, .octets(let octets)):
            octets.first.map { self.add("alert_on_message_delivery_type", $0) }
        case (.msValidity, .octets(let octets)):
            self.add("ms_validity", octets[0])
        case (_, .integer(let number)): self.add(name, number)
        case (_, .text(let text)): self.add(name, text)
        case (_, .octets(let octets)): self.add(name, octets: octets)
        case (_, .networkError), (_, .flag): break
        case (_, nil): self.add(tlv.tag.isVendorSpecific ? "vendor_op" : "reserved_op", octets: tlv.value)
        }
    }

    private static let otherNames: [TLVTag: String] = [
        .broadcastContentTypeInfo: "broadcast_content_type.info", .billingIdentification: "billing_id",
        .destAddrNpInformation: "dest_addr_np_info",
    ]

    private mutating func add(_ name: String, _ value: some FixedWidthInteger) {
        self.values["smpp." + name, default: []].append("\(value)")
    }
    private mutating func add(_ name: String, _ value: String) { self.values["smpp." + name, default: []].append(value) }
    private mutating func add(_ name: String, octets: [UInt8]) {
        self.values["smpp." + name, default: []].append(octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":"))
    }
}
