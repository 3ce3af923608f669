import Jobs

extension Reason {
    static let hostNamesNotSetUp = Reason(
        "not-configured",
        "host names are not set up here: set DOMAIN_NAME, HOSTED_ZONE_ID and JUPYTER_ALB_DNS"
    )

    static let routesNotSetUp = Reason(
        "not-configured",
        "routes are not set up here: set JUPYTER_ALB_LISTENER_ARN, ALB_VPC_ID and DOMAIN_NAME"
    )
}
