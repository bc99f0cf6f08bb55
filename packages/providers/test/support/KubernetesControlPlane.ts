/**
 * The provider `kubernetes` against a real API server, where KUBEBUILDER_ASSETS names a directory with `kube-apiserver`
 * and `etcd`. It runs with RBAC, the guide's manifests are what the daemon may do, and its clock and its faults are its
 * own: what needs them is left to the wire server.
 */
import {
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  RbacAuthorizationV1Api,
  type V1ClusterRoleBinding,
  type V1RoleBinding
} from "@kubernetes/client-node"
import { Time } from "@jitsudo/core"
import { make } from "@jitsudo/providers/kubernetes"
import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { request } from "node:https"
import { Socket } from "node:net"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import {
  accountManifests,
  accountMode,
  alice,
  ask,
  asks,
  cluster,
  decode,
  managed,
  type Manifest,
  rbacManifests,
  sectionOf,
  tokenFile,
  userMode,
  world
} from "./KubernetesFixture.ts"
import type { Answered, Exchange } from "./KubernetesExchanges.ts"
import type { Lane } from "./Lane.ts"

const assets = process.env["KUBEBUILDER_ASSETS"] ?? ""

/** Why there is no real API server here; null when there is one. */
export const whyNot: string | null =
  assets === ""
    ? "KUBEBUILDER_ASSETS names no directory with kube-apiserver and etcd"
    : ["kube-apiserver", "etcd"].every((program) => existsSync(join(assets, program)))
      ? null
      : `KUBEBUILDER_ASSETS (${assets}) has not both of kube-apiserver and etcd`

export interface ControlPlane {
  readonly url: string
  /** File with the authority of its certificate. */
  readonly ca: string
  readonly tokens: Readonly<Record<"admin" | "daemon" | "alice" | "maker", string>>
  /** As an identity with this token. */
  readonly as: (token: string) => KubeConfig
  readonly apply: (...manifests: ReadonlyArray<Manifest>) => Promise<void>
  /** Takes everything with our mark away. */
  readonly clear: () => Promise<void>
  readonly bindings: () => Promise<ReadonlyArray<V1RoleBinding | V1ClusterRoleBinding>>
  /** One request as it stands. */
  readonly send: (exchange: Pick<Exchange, "as" | "method" | "path" | "body">) => Promise<Answered>
  readonly stop: () => void
}

/** Starts one, with the guide's manifests and its world. It ends with this process at the latest, and does not hold it. */
export const start = async (): Promise<ControlPlane> => {
  const child = spawn(process.execPath, [fileURLToPath(new URL("./control-plane.ts", import.meta.url)), assets], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve)
    child.once("exit", (code) => reject(new Error(`the control plane ended with ${code}`)))
  })
  child.unref()
  for (const stream of [child.stdin, child.stdout]) if (stream instanceof Socket) stream.unref()
  const { ca, tokens, url }: Pick<ControlPlane, "url" | "ca" | "tokens"> = JSON.parse(line)

  const as: ControlPlane["as"] = (token) => {
    const kubeConfig = new KubeConfig()
    kubeConfig.loadFromClusterAndUser(
      { name: cluster, server: url, caFile: ca, skipTLSVerify: false },
      { name: "one", token }
    )
    return kubeConfig
  }
  const admin = as(tokens.admin)
  const authority = readFileSync(ca)
  const objects = KubernetesObjectApi.makeApiClient(admin)
  const rbac = admin.makeApiClient(RbacAuthorizationV1Api)
  const core = admin.makeApiClient(CoreV1Api)
  const labelSelector = `${managed}=true`

  const apply: ControlPlane["apply"] = async (...manifests) => {
    for (const manifest of manifests) {
      await objects.create(JSON.parse(JSON.stringify(manifest))).catch((thrown: unknown) => {
        // The server brings roles of its own (view, edit): they serve as well.
        if (!(thrown instanceof Error && "code" in thrown && thrown.code === 409)) throw thrown
      })
    }
  }
  const bindings: ControlPlane["bindings"] = async () => [
    ...(await rbac.listRoleBindingForAllNamespaces({ labelSelector })).items,
    ...(await rbac.listClusterRoleBinding({ labelSelector })).items
  ]
  await apply(...world, ...rbacManifests, ...accountManifests)
  return {
    url,
    ca,
    tokens,
    as,
    apply,
    bindings,
    clear: async () => {
      for (const namespace of ["team-a", "team-b"]) {
        await rbac.deleteCollectionNamespacedRoleBinding({ namespace, labelSelector })
      }
      await rbac.deleteCollectionClusterRoleBinding({ labelSelector })
      await core.deleteCollectionNamespacedServiceAccount({ namespace: "jitsudo-sessions", labelSelector })
    },
    send: ({ as: who, body, method, path }) =>
      new Promise((resolve, reject) => {
        const token = who === "nobody" ? "nobody's" : tokens[who]
        const sent = body === undefined ? "" : JSON.stringify(body)
        const headers = {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          "content-length": Buffer.byteLength(sent)
        }
        const asking = request(`${url}${path}`, { ca: authority, method, headers }, (answer) => {
          let text = ""
          answer.setEncoding("utf8").on("data", (part) => (text += String(part)))
          answer.once("end", () => resolve({ status: answer.statusCode ?? 0, text }))
        })
        asking.once("error", reject)
        asking.end(sent)
      }),
    stop: () => child.stdin.end()
  }
}

/** One for this process; it ends with it. */
let shared: Promise<ControlPlane> | undefined
export const sharedPlane = (): Promise<ControlPlane> => (shared ??= start())

/** Ends the one of this process. */
export const stopShared = async (): Promise<void> => {
  if (shared !== undefined) (await shared).stop()
}

/** The daemon's configuration for it. */
export const planeSection = (plane: ControlPlane, file: string, fields: object): object => ({
  ...sectionOf(plane.url, file, fields),
  clusters: { [cluster]: { server: plane.url, ca_file: plane.ca, token_file: file } }
})

const lane = (name: string, fields: object): Lane => ({
  name,
  make: Effect.gen(function* () {
    const plane = yield* Effect.promise(sharedPlane)
    yield* Effect.promise(plane.clear)
    const file = yield* tokenFile(plane.tokens.daemon)
    const provider = yield* Effect.orDie(make(decode(planeSection(plane, file, fields))))
    return {
      wire: null,
      fixture: {
        provider,
        asks,
        grantee: alice,
        now: Effect.sync(() => Time.make(Date.now())),
        toleranceSeconds: 5,
        advance: null,
        live: Effect.map(Effect.promise(plane.bindings), (found) =>
          found.map(({ metadata }) => ({
            requestId: metadata?.labels?.["jitsudo.dev/request-id"] ?? "",
            notAfter: Time.make(Date.parse(metadata?.annotations?.["jitsudo.dev/expires-at"] ?? ""))
          }))
        ),
        faults: null,
        hide: null,
        missing: ask("missing-role", `${cluster}/team-a`)
      }
    }
  }),
  gaps: {
    advance: "a real API server's clock is its own",
    faults: "a real API server does what it is told",
    hide: "an API server's reads are consistent: nothing that was made is hidden from them"
  }
})

/** Empty where there is no real API server. */
export const realLanes: ReadonlyArray<Lane> =
  whyNot === null
    ? [
        lane("kubernetes on a real API server", userMode),
        lane("kubernetes with ephemeral service account on a real API server", accountMode)
      ]
    : []
