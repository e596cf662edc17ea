"""Metrics for a Prometheus in the cluster."""

from hera.workflows import Container, Counter, Gauge, Histogram, Label, Metrics, Workflow

refused = "spec.templates[0].metrics"
with Workflow(generate_name="refused-metrics-", entrypoint="main") as w:
    Container(
        name="main",
        image="busybox",
        command=["echo"],
        args=["x"],
        metrics=Metrics(
            metrics=[
                Counter(name="runs", help="how many", value="1", labels=[Label(key="a", value="b")]),
                Gauge(name="level", help="how much", realtime=False, value="2"),
                Histogram(name="times", help="how long", buckets=[1.0], value="3"),
            ]
        ),
    )
