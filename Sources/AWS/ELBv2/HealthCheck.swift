/// How a load balancer finds out whether a target answers.
package struct HealthCheck: Sendable, Hashable {
    package var path: String
    package var interval: Duration
    package var timeout: Duration
    package var healthyThreshold: Int
    package var unhealthyThreshold: Int
    /// The statuses that count as healthy, such as `200,301-302`.
    package var matcher: String

    /// The check of a Jupyter server unless said otherwise.
    package init(
        path: String = "/",
        interval: Duration = .seconds(30),
        timeout: Duration = .seconds(5),
        healthyThreshold: Int = 2,
        unhealthyThreshold: Int = 2,
        matcher: String = "200,301,302"
    ) {
        self.path = path
        self.interval = interval
        self.timeout = timeout
        self.healthyThreshold = healthyThreshold
        self.unhealthyThreshold = unhealthyThreshold
        self.matcher = matcher
    }
}
