#include "venus/profile.h"

#include <stddef.h>

#define CORE(member)                                                                               \
    {                                                                                              \
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,                                              \
            offsetof(VkPhysicalDeviceFeatures2, features.member), #member                          \
    }
#define IN(stype, structure, member)                                                               \
    {                                                                                              \
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##stype##_FEATURES, offsetof(structure, member), #member \
    }
#define LIMIT(kind, member, most)                                                                  \
    {                                                                                              \
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,                                            \
            offsetof(VkPhysicalDeviceProperties2, properties.limits.member), VENUS_LIMIT_##kind,   \
            most                                                                                   \
    }

// The wire has no commands that build acceleration structures on the host's CPU.
#define NOT_ON_THE_WIRE                                                                            \
    {                                                                                              \
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ACCELERATION_STRUCTURE_FEATURES_KHR,                     \
            offsetof(VkPhysicalDeviceAccelerationStructureFeaturesKHR,                             \
                     accelerationStructureHostCommands),                                           \
            "accelerationStructureHostCommands"                                                    \
    }

#define SPARSE                                                                                     \
    CORE(sparseBinding), CORE(sparseResidencyBuffer), CORE(sparseResidencyImage2D),                \
        CORE(sparseResidencyImage3D), CORE(sparseResidency2Samples),                               \
        CORE(sparseResidency4Samples), CORE(sparseResidency8Samples),                              \
        CORE(sparseResidency16Samples), CORE(sparseResidencyAliased)

static const struct venus_profile_feature native_features[] = {NOT_ON_THE_WIRE, {0}};
static const struct venus_profile_feature dense_features[] = {NOT_ON_THE_WIRE, SPARSE, {0}};

static const struct venus_profile native_profile = {.name = "native", .features = native_features};
static const struct venus_profile dense_profile = {
    .name = "native",
    .features = dense_features,
    .queue_flags = VK_QUEUE_SPARSE_BINDING_BIT,
};

// ---- portable: a Mac ------------------------------------------------------
//
// What MoltenVK publishes about itself (its runtime guide's list of extensions, and the features
// that its documentation and Metal's feature set rule out), laid over whatever driver the host has.
// Nothing here names a descriptor of the kernel: external memory, semaphores and fences by fd,
// modifiers and the bus address do not exist on a Mac.

static const char *const portable_extensions[] = {
    // clang-format off
    "VK_KHR_16bit_storage", "VK_KHR_8bit_storage", "VK_KHR_bind_memory2", "VK_KHR_buffer_device_address",
    "VK_KHR_calibrated_timestamps", "VK_KHR_copy_commands2", "VK_KHR_create_renderpass2", "VK_KHR_dedicated_allocation",
    "VK_KHR_depth_stencil_resolve", "VK_KHR_descriptor_update_template", "VK_KHR_device_group", "VK_KHR_draw_indirect_count",
    "VK_KHR_driver_properties", "VK_KHR_dynamic_rendering", "VK_KHR_dynamic_rendering_local_read", "VK_KHR_external_fence",
    "VK_KHR_external_memory", "VK_KHR_external_semaphore", "VK_KHR_format_feature_flags2", "VK_KHR_fragment_shader_barycentric",
    "VK_KHR_get_memory_requirements2", "VK_KHR_global_priority", "VK_KHR_image_format_list", "VK_KHR_imageless_framebuffer",
    "VK_KHR_index_type_uint8", "VK_KHR_line_rasterization", "VK_KHR_load_store_op_none", "VK_KHR_maintenance1",
    "VK_KHR_maintenance2", "VK_KHR_maintenance3", "VK_KHR_maintenance4", "VK_KHR_maintenance5", "VK_KHR_maintenance6",
    "VK_KHR_maintenance7", "VK_KHR_multiview", "VK_KHR_portability_subset", "VK_KHR_push_descriptor",
    "VK_KHR_relaxed_block_layout", "VK_KHR_robustness2", "VK_KHR_sampler_mirror_clamp_to_edge",
    "VK_KHR_sampler_ycbcr_conversion", "VK_KHR_separate_depth_stencil_layouts", "VK_KHR_shader_atomic_int64",
    "VK_KHR_shader_draw_parameters", "VK_KHR_shader_expect_assume", "VK_KHR_shader_float16_int8",
    "VK_KHR_shader_float_controls", "VK_KHR_shader_float_controls2", "VK_KHR_shader_integer_dot_product",
    "VK_KHR_shader_maximal_reconvergence", "VK_KHR_shader_non_semantic_info", "VK_KHR_shader_quad_control",
    "VK_KHR_shader_relaxed_extended_instruction", "VK_KHR_shader_subgroup_extended_types", "VK_KHR_shader_subgroup_rotate",
    "VK_KHR_shader_subgroup_uniform_control_flow", "VK_KHR_shader_terminate_invocation", "VK_KHR_spirv_1_4",
    "VK_KHR_storage_buffer_storage_class", "VK_KHR_synchronization2", "VK_KHR_timeline_semaphore",
    "VK_KHR_uniform_buffer_standard_layout", "VK_KHR_variable_pointers", "VK_KHR_vertex_attribute_divisor",
    "VK_KHR_vulkan_memory_model", "VK_KHR_zero_initialize_workgroup_memory", "VK_EXT_4444_formats",
    "VK_EXT_buffer_device_address", "VK_EXT_calibrated_timestamps", "VK_EXT_depth_clip_control", "VK_EXT_descriptor_indexing",
    "VK_EXT_extended_dynamic_state", "VK_EXT_extended_dynamic_state2", "VK_EXT_extended_dynamic_state3",
    "VK_EXT_external_memory_host", "VK_EXT_fragment_shader_interlock", "VK_EXT_global_priority", "VK_EXT_global_priority_query",
    "VK_EXT_host_image_copy", "VK_EXT_host_query_reset", "VK_EXT_image_2d_view_of_3d", "VK_EXT_image_robustness",
    "VK_EXT_index_type_uint8", "VK_EXT_inline_uniform_block", "VK_EXT_line_rasterization", "VK_EXT_load_store_op_none",
    "VK_EXT_memory_budget", "VK_EXT_pipeline_creation_cache_control", "VK_EXT_pipeline_creation_feedback",
    "VK_EXT_pipeline_robustness", "VK_EXT_post_depth_coverage", "VK_EXT_private_data", "VK_EXT_robustness2",
    "VK_EXT_sample_locations", "VK_EXT_scalar_block_layout", "VK_EXT_separate_stencil_usage", "VK_EXT_shader_atomic_float",
    "VK_EXT_shader_demote_to_helper_invocation", "VK_EXT_shader_stencil_export", "VK_EXT_shader_subgroup_ballot",
    "VK_EXT_shader_subgroup_vote", "VK_EXT_shader_viewport_index_layer", "VK_EXT_subgroup_size_control",
    "VK_EXT_texel_buffer_alignment", "VK_EXT_texture_compression_astc_hdr", "VK_EXT_vertex_attribute_divisor",
    // clang-format on
    NULL,
};

static const struct venus_profile_feature portable_features[] = {
    NOT_ON_THE_WIRE,
    // Stages and units that Metal does not have.
    CORE(geometryShader),
    CORE(logicOp),
    CORE(wideLines),
    CORE(depthBounds),
    CORE(pipelineStatisticsQuery),
    CORE(shaderFloat64),
    CORE(shaderCullDistance),
    CORE(shaderResourceResidency),
    CORE(shaderStorageImageMultisample),
    CORE(variableMultisampleRate),
    SPARSE,
    IN(MULTIVIEW, VkPhysicalDeviceMultiviewFeatures, multiviewGeometryShader),
    IN(MULTIVIEW, VkPhysicalDeviceMultiviewFeatures, multiviewTessellationShader),
    IN(PROTECTED_MEMORY, VkPhysicalDeviceProtectedMemoryFeatures, protectedMemory),
    IN(VULKAN_1_1, VkPhysicalDeviceVulkan11Features, multiviewGeometryShader),
    IN(VULKAN_1_1, VkPhysicalDeviceVulkan11Features, multiviewTessellationShader),
    IN(VULKAN_1_1, VkPhysicalDeviceVulkan11Features, protectedMemory),
    IN(SHADER_ATOMIC_INT64, VkPhysicalDeviceShaderAtomicInt64Features, shaderSharedInt64Atomics),
    IN(BUFFER_DEVICE_ADDRESS, VkPhysicalDeviceBufferDeviceAddressFeatures,
       bufferDeviceAddressCaptureReplay),
    IN(BUFFER_DEVICE_ADDRESS, VkPhysicalDeviceBufferDeviceAddressFeatures,
       bufferDeviceAddressMultiDevice),
    IN(VULKAN_1_2, VkPhysicalDeviceVulkan12Features, shaderSharedInt64Atomics),
    IN(VULKAN_1_2, VkPhysicalDeviceVulkan12Features, samplerFilterMinmax),
    IN(VULKAN_1_2, VkPhysicalDeviceVulkan12Features, bufferDeviceAddressCaptureReplay),
    IN(VULKAN_1_2, VkPhysicalDeviceVulkan12Features, bufferDeviceAddressMultiDevice),
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT,
     offsetof(VkPhysicalDeviceRobustness2FeaturesEXT, robustBufferAccess2), "robustBufferAccess2"},
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT,
     offsetof(VkPhysicalDeviceRobustness2FeaturesEXT, nullDescriptor), "nullDescriptor"},
    {0},
};

static const struct venus_profile_limit portable_limits[] = {
    LIMIT(U32, maxVertexInputAttributes, 31),
    LIMIT(U32, maxVertexInputBindings, 31),
    LIMIT(U32, maxGeometryShaderInvocations, 0),
    LIMIT(U32, maxGeometryInputComponents, 0),
    LIMIT(U32, maxGeometryOutputComponents, 0),
    LIMIT(U32, maxGeometryOutputVertices, 0),
    LIMIT(U32, maxGeometryTotalOutputComponents, 0),
    LIMIT(U32, maxFragmentDualSrcAttachments, 1),
    LIMIT(U32, maxCullDistances, 0),
    LIMIT(U32, maxCombinedClipAndCullDistances, 8),
    LIMIT(FLOAT, lineWidthRange[0], 1.0),
    LIMIT(FLOAT, lineWidthRange[1], 1.0),
    LIMIT(FLOAT, lineWidthGranularity, 0.0),
    {0},
};

static const struct venus_profile portable_profile = {
    .name = "portable",
    .of = "any Mac",
    .portable = true,
    .extensions = portable_extensions,
    .features = portable_features,
    .limits = portable_limits,
    .queue_flags = VK_QUEUE_SPARSE_BINDING_BIT | VK_QUEUE_PROTECTED_BIT,
};

// ---- applying one ---------------------------------------------------------

// generated
extern const struct venus_profile venus_profile_moltenvk, venus_profile_kosmickrisp;

const struct venus_profile *venus_profile_find(const char *name)
{
    static const struct venus_profile *const profiles[] = {
        &native_profile, &portable_profile, &venus_profile_moltenvk, &venus_profile_kosmickrisp};
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        if (strcmp(profiles[i]->name, name) == 0)
            return profiles[i];
    }
    return NULL;
}

const char *venus_profile_names(void)
{
    return "native, portable, moltenvk or kosmickrisp";
}

const struct venus_profile *venus_profile_dense(const struct venus_profile *profile)
{
    return profile == &native_profile ? &dense_profile : profile; // the others have no sparse ones
}

bool venus_profile_hides_extension(const struct venus_profile *profile, const char *name)
{
    if (!profile->extensions)
        return false;
    for (const char *const *seen = profile->extensions; *seen; seen++) {
        if (strcmp(*seen, name) == 0)
            return false;
    }
    return true;
}

static VkBool32 *feature_in(const void *structure, const struct venus_profile_feature *feature)
{
    return (VkBool32 *)((uint8_t *)(uintptr_t)structure + feature->offset);
}

void venus_profile_filter_features(const struct venus_profile *profile,
                                   VkPhysicalDeviceFeatures2 *features)
{
    for (VkBaseOutStructure *node = (VkBaseOutStructure *)features; node; node = node->pNext) {
        for (const struct venus_profile_feature *feature = profile->features; feature->type;
             feature++) {
            if (feature->type == node->sType)
                *feature_in(node, feature) = VK_FALSE;
        }
    }
}

const char *venus_profile_refuses(const struct venus_profile *profile,
                                  const VkPhysicalDeviceFeatures *core, const void *root)
{
    for (const struct venus_profile_feature *feature = profile->features; feature->type;
         feature++) {
        if (core && feature->type == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2) {
            const uint8_t *bytes =
                (const uint8_t *)core - offsetof(VkPhysicalDeviceFeatures2, features);
            if (*feature_in(bytes, feature))
                return feature->name;
        }
        for (const VkBaseInStructure *node = ((const VkBaseInStructure *)root)->pNext; node;
             node = node->pNext) {
            if (feature->type == node->sType && *feature_in(node, feature))
                return feature->name;
        }
    }
    return NULL;
}

// Both of two bounds hold: the tighter one remains.
#define TIGHTEN(type, member, limit)                                                               \
    do {                                                                                           \
        type *value = (member), bound = (type)(limit)->most;                                       \
        if ((limit)->least ? *value < bound : *value > bound)                                      \
            *value = bound;                                                                        \
    } while (0)

static void lay_over(void *member, const struct venus_profile_limit *limit)
{
    switch (limit->kind) {
    case VENUS_LIMIT_U32:
        TIGHTEN(uint32_t, member, limit);
        break;
    case VENUS_LIMIT_FLOAT:
        TIGHTEN(float, member, limit);
        break;
    case VENUS_LIMIT_I32:
        TIGHTEN(int32_t, member, limit);
        break;
    case VENUS_LIMIT_U64:
        TIGHTEN(uint64_t, member, limit);
        break;
    case VENUS_LIMIT_FLAGS:
        *(uint32_t *)member &= (uint32_t)limit->most;
        break;
    case VENUS_LIMIT_BOOL:
        if (!limit->most)
            *(VkBool32 *)member = VK_FALSE;
        break;
    }
}

void venus_profile_filter_limits(const struct venus_profile *profile,
                                 VkPhysicalDeviceProperties2 *properties)
{
    if (!venus_profile_has_sparse(profile)) {
        properties->properties.sparseProperties = (VkPhysicalDeviceSparseProperties){0};
        properties->properties.limits.sparseAddressSpaceSize = 0;
    }
    if (!profile->limits)
        return;
    for (VkBaseOutStructure *node = (VkBaseOutStructure *)properties; node; node = node->pNext) {
        for (const struct venus_profile_limit *limit = profile->limits; limit->type; limit++) {
            if (limit->type == node->sType)
                lay_over((uint8_t *)node + limit->offset, limit);
        }
    }
}

void venus_profile_filter_memory(const struct venus_profile *profile,
                                 VkPhysicalDeviceMemoryProperties *memory)
{
    for (uint32_t i = 0; profile->memory_type_count && i < memory->memoryTypeCount; i++) {
        VkMemoryPropertyFlags *flags = &memory->memoryTypes[i].propertyFlags, best = 0;
        for (uint32_t j = 0; j < profile->memory_type_count; j++) {
            VkMemoryPropertyFlags shared = *flags & profile->memory_types[j];
            if (__builtin_popcount(shared) > __builtin_popcount(best))
                best = shared;
        }
        *flags = best;
    }
}
