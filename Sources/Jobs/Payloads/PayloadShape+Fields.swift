/// Shapes of so many fields; `make` gets their values, in their order.
///
/// One for each number, and not one for all: code that is generic over a pack of types looks them up at each call, which
/// takes half as long as the decoding itself.
extension PayloadShape {
    package init(_ make: @escaping @Sendable () -> Payload) {
        self.init([]) { _ in make() }
    }

    package init<A>(
        _ make: @escaping @Sendable (A) -> Payload,
        _ a: PayloadField<A>,
    ) {
        self.init([a.description]) { (body) throws(PayloadFaults.Fault) in
            try make(a.read(body))
        }
    }

    package init<A, B>(
        _ make: @escaping @Sendable (A, B) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
    ) {
        self.init([a.description, b.description]) { (body) throws(PayloadFaults.Fault) in
            try make(a.read(body), b.read(body))
        }
    }

    package init<A, B, C>(
        _ make: @escaping @Sendable (A, B, C) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
        _ c: PayloadField<C>,
    ) {
        self.init([a.description, b.description, c.description]) { (body) throws(PayloadFaults.Fault) in
            try make(a.read(body), b.read(body), c.read(body))
        }
    }

    package init<A, B, C, D>(
        _ make: @escaping @Sendable (A, B, C, D) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
        _ c: PayloadField<C>,
        _ d: PayloadField<D>,
    ) {
        let fields = [
            a.description,
            b.description,
            c.description,
            d.description,
        ]
        self.init(fields) { (body) throws(PayloadFaults.Fault) in
            try make(a.read(body), b.read(body), c.read(body), d.read(body))
        }
    }

    package init<A, B, C, D, E>(
        _ make: @escaping @Sendable (A, B, C, D, E) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
        _ c: PayloadField<C>,
        _ d: PayloadField<D>,
        _ e: PayloadField<E>,
    ) {
        let fields = [
            a.description,
            b.description,
            c.description,
            d.description,
            e.description,
        ]
        self.init(fields) { (body) throws(PayloadFaults.Fault) in
            try make(a.read(body), b.read(body), c.read(body), d.read(body), e.read(body))
        }
    }

    package init<A, B, C, D, E, F>(
        _ make: @escaping @Sendable (A, B, C, D, E, F) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
        _ c: PayloadField<C>,
        _ d: PayloadField<D>,
        _ e: PayloadField<E>,
        _ f: PayloadField<F>,
    ) {
        let fields = [
            a.description,
            b.description,
            c.description,
            d.description,
            e.description,
            f.description,
        ]
        self.init(fields) { (body) throws(PayloadFaults.Fault) in
            try make(a.read(body), b.read(body), c.read(body), d.read(body), e.read(body), f.read(body))
        }
    }

    package init<A, B, C, D, E, F, G>(
        _ make: @escaping @Sendable (A, B, C, D, E, F, G) -> Payload,
        _ a: PayloadField<A>,
        _ b: PayloadField<B>,
        _ c: PayloadField<C>,
        _ d: PayloadField<D>,
        _ e: PayloadField<E>,
        _ f: PayloadField<F>,
        _ g: PayloadField<G>,
    ) {
        let fields = [
            a.description,
            b.description,
            c.description,
            d.description,
            e.description,
            f.description,
            g.description,
        ]
        self.init(fields) { (body) throws(PayloadFaults.Fault) in
            try make(
                a.read(body),
                b.read(body),
                c.read(body),
                d.read(body),
                e.read(body),
                f.read(body),
                g.read(body)
            )
        }
    }
}
