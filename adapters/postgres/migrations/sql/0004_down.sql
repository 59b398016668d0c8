-- Takes money back: budgets, reservations and settled costs go. What effects cost stays in their own rows.
DROP FUNCTION budget_limit, budget_return_tenant, budget_reclaim, budget_leaks, budget_return, budget_settle, budget_reserve,
    budget_limited, budget_release, budget_count, budget_hold;
DROP FUNCTION budget_report, budget_grant, budget_sweep, budget_draw, budget_node, budget_tell, budget_period, budget_refusal,
    budget_text;
DROP TABLE budget_events, costs, reservations, allowances, budgets, platform_budgets;
