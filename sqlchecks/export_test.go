package sqlchecks

// Queries are those that look for checks otherwise than by their order number.
func Queries(d Dialect) map[string]string {
	s := statementsOf(d)
	return map[string]string{"due": s.due, "dueUndecided": s.dueUndecided, "obstacles": s.obstacles}
}
