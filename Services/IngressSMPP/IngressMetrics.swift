import ServiceKit

/// What this service counts.
enum IngressMetrics {
    static let binds = Counter("signalbox_ingress_smpp_binds_total", help: "Binds that were accepted.")
    static let refusedBinds = Counter("signalbox_ingress_smpp_binds_refused_total", help: "Binds that were refused.")
    static let submits = Counter("signalbox_ingress_smpp_submits_total", help: "submit_sm that were kept and acknowledged.")
    static let refusedSubmits = Counter("signalbox_ingress_smpp_submits_refused_total", help: "submit_sm that were refused.")
    static let malformed = Counter("signalbox_ingress_smpp_malformed_pdus_total", help: "PDUs that could not be read.")
    static let deliveries = Counter("signalbox_ingress_smpp_deliveries_total", help: "deliver_sm that clients acknowledged.")
}
