/// The labels by OpenTelemetry's conventions for messaging.
func messaging(_ operation: String, _ destination: String) -> [(String, String)] {
    [
        ("messaging_system", "rabbitmq"), ("messaging_operation_name", operation),
        ("messaging_destination_name", destination),
    ]
}
