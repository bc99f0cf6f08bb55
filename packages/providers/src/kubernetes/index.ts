export { KubernetesConfig } from "./KubernetesConfig.ts"
export { make, type Options, plugin } from "./KubernetesProvider.ts"
