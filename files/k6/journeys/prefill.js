// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The data set of one tenant: what prefill leaves, and how a later prefill recognizes it.
 *
 * Names (e, r, p, a count from 1; <digest> is the data set's digest, 12 hexadecimal digits):
 *   experiment       name `prefill-<digest>-<e>`, tag `perfscale.data_set` = <digest>
 *   prompt           registered model `prefill-<digest>-<e>-prompt-<p>`, tags `mlflow.prompt.is_prompt` = true
 *                    and `perfscale.data_set` = <digest>; one version (1)
 *   run              run_name `run-<r>`, tags `perfscale.item` = `run-<r>` and `perfscale.data_set` = <digest>,
 *                    status FINISHED
 *   its metrics      `metric_1` … , its params `param_1` …
 *   its artifacts    `artifact_1.json` … in the run's artifact root
 *
 * A run that is not FINISHED or lacks metrics or params was cut off in the middle: it is deleted and made again.
 */
