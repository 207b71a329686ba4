package sqlchecks

// Queries are those that look for checks otherwise than by their order number alone, with arguments.
func Queries(d Dialect) map[string][]any {
	s := statementsOf(d)
	return map[string][]any{
		s.waiting:  {},
		s.due:      {0, 5},
		s.underWay: {"5", 1000},
		s.forget:   {"5", 1000},
		s.attempts: {"5", 1000, "5"},
	}
}
