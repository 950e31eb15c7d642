import Egress
import ServiceKit

/// What this service counts.
enum EgressMetrics {
    static let common = EgressCounters("signalbox_egress_smpp", of: "submit_sm")
    static let submits = Counter("signalbox_egress_smpp_submits_total", help: "submit_sm that were sent.")
    static let receipts = Counter("signalbox_egress_smpp_receipts_total", help: "Delivery receipts that were kept.")
    static let connects = Counter("signalbox_egress_smpp_binds_total", help: "Binds that a provider accepted.")
}
