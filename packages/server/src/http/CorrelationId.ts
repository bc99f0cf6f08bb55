/** The id of a request: in its answer as `x-request-id`, and on every line that it leaves in the log. */
import * as Context from "effect/Context"

export const CorrelationId = Context.Reference<string>("@jitsudo/server/CorrelationId", { defaultValue: () => "" })
