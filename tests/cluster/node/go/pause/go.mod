module perfscale.mlflow/tests/cluster/pause

go 1.24.0
