/** The whole engine over its ports: what a host provides on the right becomes what it may call on the left. */
import * as Layer from "effect/Layer"
import * as Elevations from "./Elevations.ts"
import * as Granter from "./Granter.ts"
import type { Jobs } from "./Job.ts"
import type { Labels } from "./Labels.ts"
import type { Notifier } from "./Notification.ts"
import type { Policy } from "./Policy.ts"
import * as PolicyAdmin from "./PolicyAdmin.ts"
import * as Principals from "./Principals.ts"
import type { Providers } from "./Provider.ts"
import * as Reconciler from "./Reconciler.ts"
import * as Scheduler from "./Scheduler.ts"
import type { Sealer } from "./Sealer.ts"
import type { Settings } from "./Settings.ts"
import type { Store } from "./Store.ts"
import * as Transitions from "./Transitions.ts"

export type Ports = Store | Jobs | Policy | Providers | Labels | Settings | Sealer | Notifier

export type Services =
  | Elevations.Elevations
  | Principals.Principals
  | PolicyAdmin.PolicyAdmin
  | Granter.Granter
  | Scheduler.Scheduler
  | Reconciler.Reconciler
  | Transitions.Transitions

export const layer = (options?: Scheduler.SchedulerOptions): Layer.Layer<Services, never, Ports> =>
  Layer.mergeAll(Principals.layer, PolicyAdmin.layer, Reconciler.layer, Scheduler.layer(options)).pipe(
    Layer.provideMerge(Elevations.layer),
    Layer.provideMerge(Granter.layer),
    Layer.provideMerge(Transitions.layer)
  )
