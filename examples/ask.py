"""The same question from Python: the cheapest stack of each vendor, as one line each."""

import stackwright

answer = stackwright.plan("Qwen/Qwen3-32B", workload="chat", rate=20, ttft=1.0, tpot=0.05, per="vendor")
for plan in answer.plans:
    cost, stack = plan.usd_per_mtok_output, plan.stack
    assert cost is not None and stack.offer is not None
    print(
        f"{stack.chip.vendor:8s} {plan.n_chips:3d} x {stack.chip.id:16s} {stack.engine.id:13s} "
        f"{cost.value:6.2f} USD/Mtok [{cost.low:.2f} - {cost.high:.2f}]  {stack.offer.id}"
    )
