import Calls
import Testing

@Suite struct RetryBudgetTests {
    @Test func `retries stop when most calls fail, and come back with success`() {
        var budget = RetryBudget()
        let paid = (1...101).map { _ in budget.pay(afterAnswer: true) }
        #expect(paid == Array(repeating: true, count: 100) + [false])
        for _ in 1...5 { budget.refill(afterRetry: false) }
        let paidAgain = budget.pay(afterAnswer: true)
        #expect(paidAgain)
    }

    @Test func `a retry after no answer costs twice as much, and its success pays for one after an answer`() {
        var budget = RetryBudget()
        let paid = (1...51).map { _ in budget.pay(afterAnswer: false) }
        #expect(paid == Array(repeating: true, count: 50) + [false])
        budget.refill(afterRetry: true)
        let paidAgain = budget.pay(afterAnswer: true)
        #expect(paidAgain)
    }
}
